import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Tiers } from '../../contestants/cache/contestant.ts'
import { cacheContestants } from '../../contestants/cache/registry.ts'
import type { Measurement } from '../../harness/measure.ts'
import { processTreeCpuUs } from '../../harness/process-cpu.ts'
import { percentile, significant } from '../../harness/stats.ts'
import type { RaceAnswer } from './protocol.ts'
import { raceKeys } from './race-process.ts'
import { leave, type SuiteContext } from './suite-context.ts'
import type { CacheWorkload } from './workload.ts'

const reference = 'ioredis'
const readers = 8
const writers = 2
/** By then every message of one process to another has arrived. */
const restMs = 1000

interface Finish extends RaceAnswer {
  readonly stale: number
  readonly serverCpuUs: number
}

/** Writers against readers that load slowly: what is left in the cache when everything has come to rest. */
export const raceWorkload: CacheWorkload = {
  name: 'race',
  title: `${writers} writers and ${readers} readers in two processes on ${raceKeys} keys, a loader with a random delay`,
  async run(context) {
    const seconds = context.quick ? 6 : 60
    const finishes = new Map<string, Finish>()
    for (const name of context.choose(cacheContestants, reference)) {
      finishes.set(name, await runRace(context, name, seconds * 1000))
    }
    const base = finishes.get(reference)!
    return Object.fromEntries([...finishes].map(([name, finish]) => [name, summarize(finish, base, seconds)]))
  },
}

interface Setup {
  readonly processes: number
  readonly tiers: Tiers
  readonly tagged: boolean
}

const usual: Setup = { processes: 2, tiers: 'both', tagged: true }
const setups: Readonly<Record<string, Partial<Setup>>> = {
  'plimsoll-memory': { processes: 1, tiers: 'local' },
  // The copies of these in two processes would know too little of each other: Redis alone is the fairer way.
  cacheable: { tiers: 'shared' },
  'cache-manager': { tiers: 'shared' },
  // What most people write: DEL after the commit.
  ioredis: { tagged: false },
}

async function runRace(context: SuiteContext, name: string, durationMs: number): Promise<Finish> {
  const { url: postgresUrl } = await context.postgres()
  await createRows(postgresUrl)
  await using stack = new AsyncDisposableStack()
  const setup = { ...usual, ...setups[name] }
  const entrant = await context.enter(stack, name, { ...setup, texts: false, workload: 'race' })
  const { processes } = setup
  const before = processTreeCpuUs(entrant.serverPid)
  const share = { postgresUrl, readers: readers / processes, writers: writers / processes, durationMs }
  const answers = await Promise.all(
    entrant.processes.map(async (worker) => (await worker.ask({ type: 'race', ...share })) as RaceAnswer),
  )
  const serverCpuUs = processTreeCpuUs(entrant.serverPid) - before
  await sleep(restMs)
  const stale = new Set<number>()
  for (const worker of entrant.processes) {
    for (const key of (await worker.ask({ type: 'stale' })) as number[]) stale.add(key)
  }
  await leave([entrant])
  const sum = (count: (answer: RaceAnswer) => number): number =>
    answers.reduce((total, answer) => total + count(answer), 0)
  return {
    writes: sum(({ writes }) => writes),
    loads: sum(({ loads }) => loads),
    outdated: sum(({ outdated }) => outdated),
    nodeCpuUs: sum(({ nodeCpuUs }) => nodeCpuUs),
    latenciesMs: Float64Array.from(answers.flatMap(({ latenciesMs }) => [...latenciesMs])),
    serverCpuUs,
    stale: stale.size,
  }
}

async function createRows(postgresUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: postgresUrl })
  await client.connect()
  try {
    await client.query('drop table if exists race; create table race (k int primary key, v int not null)')
    await client.query('insert into race select k, 1 from generate_series(0, $1::int - 1) as k', [raceKeys])
  } finally {
    await client.end()
  }
}

function summarize(finish: Finish, base: Finish, seconds: number): Measurement {
  const { latenciesMs, nodeCpuUs, serverCpuUs, loads, outdated, stale } = finish
  const reads = latenciesMs.length
  return {
    ratio: significant(reads / base.latenciesMs.length),
    opsPerS: significant(reads / seconds),
    p50Ms: significant(percentile(latenciesMs, 0.5)),
    p99Ms: significant(percentile(latenciesMs, 0.99)),
    nodeCpuUs: significant(nodeCpuUs / reads),
    serverCpuUs: significant(serverCpuUs / reads),
    loads,
    stale,
    outdated,
  }
}
