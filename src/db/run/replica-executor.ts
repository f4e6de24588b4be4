import { parseDuration } from '../../core/duration.ts'
import type { ReplicaOptions } from '../../postgres/index.ts'
import type { DbContext } from '../context.ts'

/**
 * An executor whose reads go to a replica where there is one: each read gets one of its own, so that all its statements come to the
 * same server. Everything else goes where `executor` sends it.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function replicaExecutor(executor: DbContext['executor'], options: ReplicaOptions): DbContext['executor'] {
  // Without replicas it is as wrong.
  if (options.maxLag !== undefined) parseDuration(options.maxLag, 'maxLag')
  const { replicas } = executor
  if (replicas === undefined) return executor
  return {
    execute: (...call) => executor.execute(...call),
    batch: (...call) => executor.batch(...call),
    cursor: (...call) => executor.cursor(...call),
    transaction: (...call) => executor.transaction(...call),
    replicas,
    forRead: () => replicas.behind(options),
    // What is kept must not be older than the versions it is kept under.
    forFill: async () => replicas.atLeast(await replicas.position()),
  }
}
