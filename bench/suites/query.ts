import { contestantNames, reference } from '../contestants/registry.ts'
import { verifyAnswer } from '../contestants/verify.ts'
import { describeMachine } from '../harness/machine.ts'
import { measureRounds, runOverHttp, type Measurement, type Runner } from '../harness/measure.ts'
import { openServer } from '../harness/postgres-server.ts'
import type { ContestantRequest, LoadRequest, Round } from '../harness/protocol.ts'
import { formatTable, type SuiteResult } from '../harness/report.ts'
import { storeResult } from '../harness/store-result.ts'
import { significant } from '../harness/stats.ts'
import { startWorker, type Worker } from '../harness/worker.ts'
import { seedBlog } from '../seed/seed-blog.ts'
import { writeQueryDocs } from './query-docs.ts'
import { workloads, type Workload } from './workloads.ts'

export interface QueryOptions {
  /** Two minutes instead of twelve: fewer rounds, W4 at concurrency 1 only, nothing stored. */
  readonly quick: boolean
  /** Default: all. The reference always takes part. */
  readonly contestants?: readonly string[] | undefined
  /** Default: all; a prefix takes all that begin with it. */
  readonly workloads?: readonly string[] | undefined
  /** Writes a CPU profile of each Plimsoll contestant to `bench/results`. */
  readonly profile: boolean
}

interface Entrant {
  readonly name: string
  readonly worker: Worker<ContestantRequest>
  readonly port: number
}

/** The suite `query`: Plimsoll and its peers on the blog. Prints a table per workload; a run with all contestants also stores them. */
export async function runQuerySuite(options: QueryOptions): Promise<void> {
  const chosen = workloads.filter(
    ({ name, quick }) =>
      (quick || !options.quick) && (options.workloads?.some((prefix) => name.startsWith(prefix)) ?? true),
  )
  const names = contestantNames.filter((name) => name === reference || (options.contestants?.includes(name) ?? true))
  await using server = await openServer()
  await using blog = await seedBlog(server.url)
  const machine = describeMachine({ postgres: blog.serverVersion })
  console.log(`${machine.cores} × ${machine.cpu}, Node ${machine.node}, PostgreSQL ${machine.postgres}`)
  await using workers = new AsyncDisposableStack()
  const load = workers.use(
    startWorker<LoadRequest>(new URL('../harness/load-process.ts', import.meta.url), { name: 'load' }),
  )
  const entrants: Entrant[] = []
  for (const name of names) {
    const file = new URL('../harness/contestant-process.ts', import.meta.url)
    const worker = workers.use(
      startWorker<ContestantRequest>(file, { name, args: [name], execArgv: profileArgs(name, options) }),
    )
    await worker.ask({ type: 'open', url: blog.url, anchor: blog.anchor })
    entrants.push({ name, worker, port: (await worker.ask({ type: 'listen' })) as number })
  }
  await verifyEntrants(entrants, chosen)
  console.log(`${entrants.length} contestants answer alike`)
  const measured: Record<string, Record<string, Measurement>> = {}
  for (const workload of chosen) {
    const entered = entrants.filter(({ name }) => workload.product === 'json' || name !== 'plimsoll-json')
    measured[workload.name] = await measureRounds(
      entered.map((entrant) => toRunner(entrant, workload, { load, serverPid: server.pid })),
      {
        reference,
        roundMs: options.quick ? 100 : 250,
        budgetMs: options.quick ? 2500 : 20_000,
      },
    )
    console.log(`\n${formatTable(`${workload.name}: ${workload.title}`, measured[workload.name]!)}`)
  }
  await measureOverhead(entrants, measured)
  for (const { worker } of entrants) await worker.ask({ type: 'close' })
  const result: SuiteResult = { suite: 'query', machine, workloads: measured }
  if (options.quick || options.contestants || options.workloads) return
  storeResult(result, { part: false })
  writeQueryDocs(result, names)
}

const profileArgs = (name: string, options: QueryOptions): string[] =>
  options.profile && name.startsWith('plimsoll')
    ? [
        '--cpu-prof',
        `--cpu-prof-dir=${new URL('../results', import.meta.url).pathname}`,
        `--cpu-prof-name=${name}.cpuprofile`,
      ]
    : []

function toRunner(
  { name, worker, port }: Entrant,
  workload: Workload,
  { load, serverPid }: { readonly load: Worker<LoadRequest>; readonly serverPid: number | undefined },
): Runner {
  const { operation, product, concurrency } = workload
  const path = `/${operation}/{id}`
  return {
    name,
    serverPid,
    run: async (durationMs) =>
      workload.over === 'http'
        ? runOverHttp(worker, load, { port, path, connections: concurrency, durationMs })
        : ((await worker.ask({ type: 'run', operation, product, concurrency, durationMs })) as Round),
  }
}

/** Every contestant must answer as the reference does, in process and over HTTP, before any clock runs. */
async function verifyEntrants(entrants: readonly Entrant[], chosen: readonly Workload[]): Promise<void> {
  const byHand = entrants.find(({ name }) => name === reference)!
  for (const operation of new Set(chosen.map((workload) => workload.operation))) {
    for (const id of operation === 'postById' ? [1, 4711, 99_999] : [0]) {
      const question = { type: 'answer', operation, id, product: 'json' } as const
      const expected = JSON.parse((await byHand.worker.ask(question)) as string)
      for (const { name, worker, port } of entrants) {
        verifyAnswer(unwrapPage(await worker.ask(question)), expected, `${name}, ${operation}`)
        const response = await fetch(`http://127.0.0.1:${port}/${operation}/${id}`)
        verifyAnswer(unwrapPage(await response.text()), expected, `${name}, ${operation} over HTTP`)
      }
    }
  }
}

/** The rows of an answer; Plimsoll's pages have them in `data`, beside the cursors. */
function unwrapPage(json: unknown): unknown {
  const answer: unknown = JSON.parse(String(json))
  const isPage = typeof answer === 'object' && answer !== null && 'data' in answer && 'page' in answer
  return isPage ? answer.data : answer
}

/** Stored in the same shape as a workload: its times are those of one queryset that never reaches PostgreSQL. */
async function measureOverhead(
  entrants: readonly Entrant[],
  measured: Record<string, Record<string, Measurement>>,
): Promise<void> {
  const plimsoll = entrants.find(({ name }) => name === 'plimsoll-json')
  if (!plimsoll) return
  const us = (await plimsoll.worker.ask({ type: 'overhead' })) as number
  const ms = significant(us / 1000)
  const figures = {
    ratio: 1,
    opsPerS: significant(1e6 / us),
    p50Ms: ms,
    p99Ms: ms,
    nodeCpuUs: significant(us),
    serverCpuUs: 0,
  }
  measured['overhead'] = { 'plimsoll-json': figures }
  console.log(`\noverhead: a cached shape is built, planned, compiled and bound in ${us.toFixed(1)} µs`)
}
