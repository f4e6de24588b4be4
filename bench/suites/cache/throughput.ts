import { measureRounds } from '../../harness/measure.ts'
import type { Round } from '../../harness/protocol.ts'
import { leave, type Entrant } from './suite-context.ts'
import { throughputSpecs, type ThroughputSpec } from './throughput-spec.ts'
import type { CacheWorkload } from './workload.ts'

/** The workloads that count operations per second, in one process for each contestant. */
export const throughputWorkloads: readonly CacheWorkload[] = throughputSpecs.map(toWorkload)

function toWorkload(spec: ThroughputSpec): CacheWorkload {
  const { name, title, reference, tiers, tagged, texts = false } = spec
  return {
    name,
    title,
    async run(context) {
      await using stack = new AsyncDisposableStack()
      const entrants: Entrant[] = []
      for (const contestant of context.choose(spec.contestants, reference)) {
        const entrant = await context.enter(stack, contestant, { tiers, tagged, texts, workload: name })
        await entrant.processes[0]!.ask({ type: 'prepare', workload: name })
        entrants.push(entrant)
      }
      const measured = await measureRounds(
        entrants.map((entrant) => ({
          name: entrant.name,
          serverPid: entrant.serverPid,
          run: async (durationMs) => (await entrant.processes[0]!.ask({ type: 'run', durationMs })) as Round,
        })),
        { reference, ...context.rounds },
      )
      await leave(entrants)
      return measured
    },
  }
}
