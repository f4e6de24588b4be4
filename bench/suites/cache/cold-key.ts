import { processTreeCpuUs } from '../../harness/process-cpu.ts'
import type { Measurement } from '../../harness/measure.ts'
import { median, percentile, significant } from '../../harness/stats.ts'
import type { ColdKeyAnswer } from './protocol.ts'
import { leave, type Entrant } from './suite-context.ts'
import type { CacheWorkload } from './workload.ts'

const reference = 'ioredis'
const contestants = ['plimsoll-redis', 'plimsoll-memcached', 'bentocache', 'cacheable', 'cache-manager', reference]

const processes = 4
const readers = 1000
const loadMs = 200

interface ColdRound {
  readonly loads: number
  readonly elapsedMs: number
  readonly latenciesMs: readonly number[]
  readonly nodeCpuUs: number
  readonly serverCpuUs: number
}

/** Everybody wants one key at once: how often it is loaded, and when the last reader has it. */
export const coldKeyWorkload: CacheWorkload = {
  name: 'cold-key',
  title: `one cold key, ${processes} processes with ${readers} readers each, a loader of ${loadMs} ms`,
  async run(context) {
    await using stack = new AsyncDisposableStack()
    const entrants: Entrant[] = []
    for (const name of context.choose(contestants, reference)) {
      const how = { tiers: 'both', tagged: false, texts: false, processes, workload: 'cold-key' } as const
      entrants.push(await context.enter(stack, name, how))
    }
    const rounds = new Map<string, ColdRound[]>(entrants.map(({ name }) => [name, []]))
    // The first round compiles, and is not measured.
    for (let round = 0; round <= (context.quick ? 3 : 15); round++) {
      for (const offset of entrants.keys()) {
        const entrant = entrants[(round + offset) % entrants.length]!
        const measured = await readByAll(entrant, `cold-key:${round}`)
        if (round > 0) rounds.get(entrant.name)!.push(measured)
      }
    }
    await leave(entrants)
    const base = rounds.get(reference)!
    return Object.fromEntries([...rounds].map(([name, measured]) => [name, summarize(measured, base)]))
  },
}

async function readByAll({ processes: all, serverPid }: Entrant, key: string): Promise<ColdRound> {
  const before = processTreeCpuUs(serverPid)
  const answers = await Promise.all(
    all.map(async (worker) => (await worker.ask({ type: 'cold-key', key, readers, loadMs })) as ColdKeyAnswer),
  )
  const latenciesMs = answers.flatMap((answer) => [...answer.latenciesMs])
  return {
    loads: answers.reduce((sum, answer) => sum + answer.loads, 0),
    elapsedMs: Math.max(...latenciesMs),
    latenciesMs,
    nodeCpuUs: answers.reduce((sum, answer) => sum + answer.nodeCpuUs, 0),
    serverCpuUs: processTreeCpuUs(serverPid) - before,
  }
}

function summarize(rounds: readonly ColdRound[], base: readonly ColdRound[]): Measurement {
  const latencies = Float64Array.from(rounds.flatMap(({ latenciesMs }) => latenciesMs))
  const perRead = (total: number): number => significant(total / latencies.length)
  return {
    ratio: significant(median(rounds.map(({ elapsedMs }, round) => base[round]!.elapsedMs / elapsedMs))),
    opsPerS: significant(median(rounds.map(({ elapsedMs, latenciesMs }) => (latenciesMs.length * 1000) / elapsedMs))),
    p50Ms: significant(percentile(latencies, 0.5)),
    p99Ms: significant(percentile(latencies, 0.99)),
    nodeCpuUs: perRead(rounds.reduce((sum, round) => sum + round.nodeCpuUs, 0)),
    serverCpuUs: perRead(rounds.reduce((sum, round) => sum + round.serverCpuUs, 0)),
    loads: Math.max(...rounds.map(({ loads }) => loads)),
  }
}
