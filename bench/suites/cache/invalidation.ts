import { setTimeout as sleep } from 'node:timers/promises'
import type { Measurement } from '../../harness/measure.ts'
import { processTreeCpuUs } from '../../harness/process-cpu.ts'
import { median, percentile, significant } from '../../harness/stats.ts'
import { leave, type Entrant, type SuiteContext } from './suite-context.ts'
import type { CacheWorkload } from './workload.ts'

const reference = 'ioredis'
const contestants = ['plimsoll-memory', 'plimsoll-redis', 'plimsoll-memcached', 'bentocache', 'cacheable', reference]

/** How long one invalidation of a tag takes that so many entries have. */
export const invalidationWorkloads: readonly CacheWorkload[] = [
  invalidation('invalidate-1k', 1000, { rounds: 20, quickRounds: 5 }),
  invalidation('invalidate-100k', 100_000, { rounds: 5, quickRounds: 1 }),
]

function invalidation(
  name: string,
  entries: number,
  { rounds, quickRounds }: { readonly rounds: number; readonly quickRounds: number },
): CacheWorkload {
  return {
    name,
    title: `one invalidation of a tag that ${entries.toLocaleString('en')} entries have`,
    async run(context) {
      await using stack = new AsyncDisposableStack()
      const entrants: Entrant[] = []
      for (const contestant of context.choose(contestants, reference)) {
        const how = { tiers: 'both', tagged: true, texts: false, workload: name } as const
        entrants.push(await context.enter(stack, contestant, how))
      }
      const timesMs = new Map<string, number[]>(entrants.map((entrant) => [entrant.name, []]))
      for (let round = 1; round <= (context.quick ? quickRounds : rounds); round++) {
        for (const offset of entrants.keys()) {
          const entrant = entrants[(round + offset) % entrants.length]!
          await settle(context)
          const tookMs = await entrant.processes[0]!.ask({ type: 'invalidate', round, entries })
          timesMs.get(entrant.name)!.push(tookMs as number)
        }
      }
      await leave(entrants)
      return summarize(timesMs)
    },
  }
}

/** What was deleted by the one before is freed by Redis in the background. */
async function settle(context: SuiteContext): Promise<void> {
  const pid = context.serverPidOf(reference)
  for (let before = processTreeCpuUs(pid); ;) {
    await sleep(50)
    const now = processTreeCpuUs(pid)
    if (now - before < 25_000) return
    before = now
  }
}

function summarize(timesMs: ReadonlyMap<string, readonly number[]>): Record<string, Measurement> {
  const base = timesMs.get(reference)!
  return Object.fromEntries(
    [...timesMs].map(([name, times]) => [
      name,
      {
        ratio: significant(median(times.map((time, round) => base[round]! / time))),
        opsPerS: significant(1000 / median(times)),
        p50Ms: significant(median(times)),
        p99Ms: significant(percentile(Float64Array.from(times), 0.99)),
        nodeCpuUs: 0,
        serverCpuUs: 0,
      },
    ]),
  )
}
