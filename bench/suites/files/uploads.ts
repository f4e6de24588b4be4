import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { measureRounds, type Measurement, type Runner } from '../../harness/measure.ts'
import type { FilesContext, FilesEntrant } from './files-context.ts'
import type { FilesServerName, Memory } from './protocol.ts'
import { sendBytes, uploadByTus, uploadInParts } from './upload-load.ts'
import type { FilesWorkload } from './workload.ts'

const mb = 1024 ** 2
const reference = 'tus-server'

interface Contestant {
  readonly server: FilesServerName
  send(base: string, bytes: number): Promise<void>
}

const contestants: Readonly<Record<string, Contestant>> = {
  /** Straight to a bucket of Ceph, which keeps it in memory: what passes through the server are the tickets. */
  'plimsoll-s3': { server: 'plimsoll', send: uploadInParts },
  /** To addresses of the server's own, onto its disk. */
  'plimsoll-disk': { server: 'plimsoll', send: uploadInParts },
  'plimsoll-tus': { server: 'plimsoll', send: uploadByTus },
  'tus-server': { server: 'tus-server', send: uploadByTus },
  proxy: {
    server: 'proxy',
    send: (base, bytes) =>
      sendBytes(`${base}/uploads/large.bin`, {
        method: 'PUT',
        headers: { 'content-type': 'application/octet-stream' },
        bytes,
      }),
  },
}

/** 2 GB, as its server has to do with it; less where the bucket is kept in memory. */
export const uploadWorkload: FilesWorkload = {
  name: 'upload',
  title:
    'an upload of 2 GB, of 512 MB to S3; an operation is a megabyte, the memory what the process holds above what it held idle',
  async run(context) {
    await using stack = new AsyncDisposableStack()
    const names = context.choose(Object.keys(contestants), reference)
    const memory = new Map<string, number>()
    const runners: Runner[] = []
    const entrants: FilesEntrant[] = []
    for (const name of names) {
      const { server, send } = contestants[name]!
      const storageUrl = name === 'plimsoll-s3' ? await bucket(context, stack) : undefined
      if (name === 'plimsoll-s3' && storageUrl === undefined) continue
      const folder = join(context.folder, `upload-${name}`)
      await mkdir(folder)
      const entrant = await context.enter(stack, name, { server, folder, storageUrl })
      entrants.push(entrant)
      runners.push({
        name,
        serverPid: undefined,
        run: () => measure(entrant, { send, bytes: sizeOf(context, name), memory }),
      })
    }
    const measured: Record<string, Measurement> = await measureRounds(runners, { reference, roundMs: 0, budgetMs: 0 })
    for (const { worker } of entrants) await worker.ask({ type: 'close' })
    return Object.fromEntries(
      Object.entries(measured).map(([name, one]) => [name, { ...one, rssMb: Math.round(memory.get(name)! / mb) }]),
    )
  },
}

interface StartsCeph {
  startRadosgw(options: {
    readonly megabytes: number
  }): Promise<{ readonly url: string; stop(): Promise<void> } | undefined>
}

/** Ceph keeps all of it in memory, and what was deleted for a while. */
function sizeOf({ quick }: FilesContext, name: string): number {
  if (quick) return 64 * mb
  return name === 'plimsoll-s3' ? 512 * mb : 2048 * mb
}

async function bucket({ quick }: FilesContext, stack: AsyncDisposableStack): Promise<string | undefined> {
  // Not by its name: it is compiled with the tests, which know what they are given.
  const { startRadosgw } = (await import(
    new URL('../../../test/servers/radosgw.ts', import.meta.url).href
  )) as StartsCeph
  const gateway = await startRadosgw({ megabytes: quick ? 1500 : 4000 }).catch((error: unknown) => {
    console.error(`No bucket, and no plimsoll-s3: ${String(error)}`)
    return undefined
  })
  if (gateway === undefined) return undefined
  stack.defer(() => gateway.stop())
  return gateway.url
}

async function measure(
  { name, port, worker }: FilesEntrant,
  {
    send,
    bytes,
    memory,
  }: { readonly send: Contestant['send']; readonly bytes: number; readonly memory: Map<string, number> },
): Promise<Awaited<ReturnType<Runner['run']>>> {
  const { now: idle } = (await worker.ask({ type: 'memory' })) as Memory
  const cpu = (await worker.ask({ type: 'cpu' })) as number
  const began = performance.now()
  await send(`http://127.0.0.1:${port}`, bytes)
  const elapsedMs = performance.now() - began
  const { most } = (await worker.ask({ type: 'memory' })) as Memory
  memory.set(name, Math.max(memory.get(name) ?? 0, most - idle))
  const nodeCpuUs = ((await worker.ask({ type: 'cpu' })) as number) - cpu
  return { ops: bytes / mb, elapsedMs, latenciesMs: Float64Array.of(elapsedMs), nodeCpuUs }
}
