import type { Measurement } from '../../harness/measure.ts'
import type { SuiteResult } from '../../harness/report.ts'
import type { Target } from '../../harness/targets.ts'

type Read = (measurements: Readonly<Record<string, Measurement>>) => number | undefined

const of =
  (workload: string, read: Read) =>
  ({ workloads }: SuiteResult): number | undefined => {
    const measurements = workloads[workload]
    return measurements && read(measurements)
  }

/** How many times as fast as the fastest of the others. */
const overBestPeer =
  (contestant: string): Read =>
  (measurements) => {
    const own = measurements[contestant]
    const peers = Object.entries(measurements).flatMap(([name, { ratio }]) =>
      name.startsWith('plimsoll') ? [] : ratio,
    )
    return own && own.ratio / Math.max(...peers)
  }

const ratio =
  (contestant: string): Read =>
  (measurements) =>
    measurements[contestant]?.ratio

const engines = ['memory', 'redis', 'memcached'] as const
const shared = ['redis', 'memcached'] as const

const timesAsLong =
  (contestant: string) =>
  ({ workloads }: SuiteResult): number | undefined => {
    const [small, large] = [workloads['invalidate-1k']?.[contestant], workloads['invalidate-100k']?.[contestant]]
    return small?.p50Ms && large?.p50Ms && large.p50Ms / small.p50Ms
  }

/** What the suite is for. */
export const cacheTargets: readonly Target[] = [
  ...['l1-hit', 'l1-hit-untagged'].flatMap((workload) =>
    engines.map((engine) => ({
      text: `${workload}: ${engine} ÷ the fastest peer`,
      least: 1,
      value: of(workload, overBestPeer(`plimsoll-${engine}`)),
    })),
  ),
  ...['l2-hit', 'l2-hit-untagged', 'l2-hit-text'].flatMap((workload) =>
    shared.map((engine) => ({
      text: `${workload}: ${engine} ÷ ioredis`,
      least: 0.9,
      value: of(workload, ratio(`plimsoll-${engine}`)),
    })),
  ),
  ...engines.map((engine) => ({
    text: `invalidate-100k: ${engine}, ms`,
    most: 1,
    value: of('invalidate-100k', (measurements) => measurements[`plimsoll-${engine}`]?.p50Ms),
  })),
  ...engines.map((engine) => ({
    text: `invalidate-100k ÷ invalidate-1k: ${engine}, time`,
    most: 2,
    value: timesAsLong(`plimsoll-${engine}`),
  })),
  ...shared.map((engine) => ({
    text: `cold-key: ${engine}, loads`,
    most: 1,
    value: of('cold-key', (measurements) => measurements[`plimsoll-${engine}`]?.loads),
  })),
  ...engines.map((engine) => ({
    text: `race: ${engine}, keys left stale`,
    most: 0,
    value: of('race', (measurements) => measurements[`plimsoll-${engine}`]?.stale),
  })),
  {
    text: 'http-list: memory ÷ a constant Buffer',
    least: 0.85,
    value: of('http-list', ratio('plimsoll-memory')),
  },
]
