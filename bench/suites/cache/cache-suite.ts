import { memcachedVersion, redisVersion, startMemcached, startRedis } from '../../harness/cache-servers.ts'
import { describeMachine } from '../../harness/machine.ts'
import type { Measurement } from '../../harness/measure.ts'
import { formatTable, type SuiteResult } from '../../harness/report.ts'
import { storeResult } from '../../harness/store-result.ts'
import { checkTargets, listTargets } from '../../harness/targets.ts'
import { writeCacheDocs } from './cache-docs.ts'
import { coldKeyWorkload } from './cold-key.ts'
import { httpListWorkload } from './http-list.ts'
import { invalidationWorkloads } from './invalidation.ts'
import { raceWorkload } from './race.ts'
import { SuiteContext } from './suite-context.ts'
import { cacheTargets } from './targets.ts'
import { throughputWorkloads } from './throughput.ts'
import type { CacheWorkload } from './workload.ts'

export interface CacheSuiteOptions {
  /** Three minutes instead of twenty: fewer and shorter rounds, nothing stored. */
  readonly quick: boolean
  /** Default: all. The reference of each workload always takes part. */
  readonly contestants?: readonly string[] | undefined
  /** Default: all; a prefix takes all that begin with it. */
  readonly workloads?: readonly string[] | undefined
  /** Writes CPU profiles of Plimsoll's processes to `bench/results`. */
  readonly profile: boolean
}

const workloads: readonly CacheWorkload[] = [
  ...throughputWorkloads,
  ...invalidationWorkloads,
  coldKeyWorkload,
  raceWorkload,
  httpListWorkload,
]

/** The suite `cache`. Prints a table per workload and whether the targets were met; a run with all contestants also stores them. */
export async function runCacheSuite(options: CacheSuiteOptions): Promise<void> {
  const chosen = workloads.filter(({ name }) => options.workloads?.some((prefix) => name.startsWith(prefix)) ?? true)
  await using redis = await startRedis()
  await using memcached = await startMemcached()
  const { quick, profile, contestants } = options
  await using context = new SuiteContext({ quick, profile, contestants, redis, memcached })
  const machine = describeMachine({ redis: redisVersion(), memcached: memcachedVersion() })
  const servers = `Redis ${machine.redis}, Memcached ${machine.memcached}`
  console.log(`${machine.cores} × ${machine.cpu}, Node ${machine.node}, ${servers}`)
  const measured: Record<string, Record<string, Measurement>> = {}
  for (const workload of chosen) {
    await context.clear()
    measured[workload.name] = await workload.run(context)
    console.log(`\n${formatTable(`${workload.name}: ${workload.title}`, measured[workload.name]!)}`)
  }
  const result: SuiteResult = { suite: 'cache', machine, workloads: measured }
  console.log(`\n${listTargets(checkTargets(result, cacheTargets))}`)
  if (quick || contestants) return
  const stored = storeResult(result, { part: options.workloads !== undefined })
  if (stored !== undefined) writeCacheDocs(stored)
}
