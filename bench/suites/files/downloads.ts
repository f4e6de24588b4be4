import { measureRounds, type Measurement, type Runner } from '../../harness/measure.ts'
import { startFileNginx } from '../../harness/nginx-server.ts'
import { processTreePeakBytes } from '../../harness/process-cpu.ts'
import type { Round } from '../../harness/protocol.ts'
import type { Worker } from '../../harness/worker.ts'
import type { Downloaded } from './download-load.ts'
import type { FilesContext } from './files-context.ts'
import { fileName, type FilesRequest, type Memory } from './protocol.ts'
import type { FilesWorkload } from './workload.ts'

const mb = 1024 ** 2
const path = `/files/${fileName}`
const contestants = ['plimsoll', 'fastify-static', 'nginx']

interface Entered {
  readonly name: string
  readonly port: number
  /** Undefined for nginx. */
  readonly worker: Worker<FilesRequest> | undefined
  readonly serverPid: number | undefined
}

/** The whole file, one after the other over one connection. */
export const diskFullWorkload: FilesWorkload = {
  name: 'disk-full',
  title: 'a file of 1 GB from disk, one download at a time; an operation is a megabyte',
  run: (context) => measureDownloads(context, { reference: 'fastify-static', connections: 1, range: undefined }),
}

/** Ranges as a player asks for them. */
export const diskRangeWorkload: FilesWorkload = {
  name: 'disk-range',
  title: 'ranges of 1 MB at random places of 1 GB, over 32 connections; an operation is a megabyte',
  run: (context) => measureDownloads(context, { reference: 'nginx', connections: 32, range: mb }),
}

/** A hundred at a time, for the memory, with the young generation that `docs/downloads.md` advises: for all servers alike. */
export const diskParallelWorkload: FilesWorkload = {
  name: 'disk-100',
  title:
    'a hundred downloads of 1 GB at a time, Node with --max-semi-space-size=2; an operation is a megabyte, the memory that of the whole process',
  run: (context) =>
    measureDownloads(context, {
      reference: 'fastify-static',
      connections: 100,
      range: undefined,
      cut: true,
      execArgv: ['--max-semi-space-size=2'],
    }),
}

async function measureDownloads(
  context: FilesContext,
  {
    reference,
    execArgv,
    ...how
  }: {
    readonly reference: string
    readonly connections: number
    readonly range: number | undefined
    readonly cut?: boolean
    readonly execArgv?: readonly string[]
  },
): Promise<Record<string, Measurement>> {
  await context.makeFile()
  await using stack = new AsyncDisposableStack()
  const load = context.load(stack)
  const entrants = await enterAll(context, stack, { reference, execArgv })
  const memory = new Map<string, number>()
  const runners = entrants.map(({ name, port, worker, serverPid }): Runner => ({
    name,
    serverPid,
    run: async (durationMs) => {
      const before = worker && ((await worker.ask({ type: 'cpu' })) as number)
      await worker?.ask({ type: 'memory' })
      const { bytes, elapsedMs, latenciesMs } = (await load.ask({
        port,
        path,
        size: context.size,
        ...how,
        durationMs,
      })) as Downloaded
      const most = worker
        ? ((await worker.ask({ type: 'memory' })) as Memory).most
        : serverPid && processTreePeakBytes(serverPid)
      memory.set(name, Math.max(memory.get(name) ?? 0, most ?? 0))
      const nodeCpuUs = worker === undefined ? 0 : ((await worker.ask({ type: 'cpu' })) as number) - before!
      return { ops: bytes / mb, elapsedMs, latenciesMs, nodeCpuUs } satisfies Round
    },
  }))
  const times = context.quick ? { roundMs: 300, budgetMs: 2000 } : { roundMs: 1000, budgetMs: 20_000 }
  const measured = await measureRounds(runners, { reference, ...times })
  for (const { worker } of entrants) await worker?.ask({ type: 'close' })
  return Object.fromEntries(
    Object.entries(measured).map(([name, one]) => {
      const most = memory.get(name) ?? 0
      return [name, most === 0 ? one : { ...one, rssMb: Math.round(most / mb) }]
    }),
  )
}

async function enterAll(
  context: FilesContext,
  stack: AsyncDisposableStack,
  { reference, execArgv }: { readonly reference: string; readonly execArgv: readonly string[] | undefined },
): Promise<readonly Entered[]> {
  const entrants: Entered[] = []
  for (const name of context.choose(contestants, reference)) {
    if (name === 'nginx') {
      const nginx = stack.use(await startFileNginx(context.folder))
      entrants.push({ name, port: nginx.port, worker: undefined, serverPid: nginx.pid })
    } else {
      const server = name as 'plimsoll' | 'fastify-static'
      const folder = server === 'plimsoll' ? context.storeFolder : context.folder
      entrants.push({ ...(await context.enter(stack, name, { server, folder, execArgv })), serverPid: undefined })
    }
  }
  return entrants
}
