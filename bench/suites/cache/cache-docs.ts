import { cacheContestants } from '../../contestants/cache/registry.ts'
import type { Measurement } from '../../harness/measure.ts'
import { formatRatios, replaceBlock, type SuiteResult } from '../../harness/report.ts'
import { checkTargets, formatTargets } from '../../harness/targets.ts'
import { cacheTargets } from './targets.ts'
import { throughputSpecs } from './throughput-spec.ts'

/** Writes the tables of the last whole run into `docs/benchmarks.md`. */
export function writeCacheDocs(result: SuiteResult): void {
  const { machine, workloads } = result
  const throughput = pick(
    workloads,
    throughputSpecs.map(({ name }) => name),
  )
  const invalidation = pick(workloads, ['invalidate-1k', 'invalidate-100k'])
  const text = [
    `Measured on ${machine.cores} cores (${machine.cpu}) with ${machine.memoryGb} GB, Node ${machine.node}, Redis ${machine.redis}, Memcached ${machine.memcached}.`,
    'Throughput as a multiple of the contestant with 1.00; larger is better.',
    formatRatios({ ...result, workloads: throughput }, cacheContestants),
    'Operations per second.',
    byContestant(throughput, ({ opsPerS }) => opsPerS.toLocaleString('en')),
    'Milliseconds that one invalidation of a tag takes, the median; smaller is better.',
    byContestant(invalidation, ({ p50Ms }) => p50Ms?.toFixed(2) ?? '–'),
    'One cold key, read by 4 × 1000 readers; its loader takes 200 ms.',
    byFigure(workloads['cold-key'], {
      loads: ({ loads }) => String(loads),
      'p50, ms': ({ p50Ms }) => String(p50Ms),
      'p99, ms': ({ p99Ms }) => String(p99Ms),
    }),
    'Keys of 50 that were left stale after a minute of writes and reads, and reads that were older than what their own process had written.',
    byFigure(workloads['race'], {
      'stale at rest': ({ stale }) => String(stale),
      'outdated reads': ({ outdated }) => String(outdated),
      'reads per second': ({ opsPerS }) => opsPerS.toLocaleString('en'),
      loads: ({ loads }) => (loads ?? 0).toLocaleString('en'),
    }),
    'A list over HTTP; CPU microseconds per request are those of the Node process and of nginx, Redis or PostgreSQL.',
    byFigure(workloads['http-list'], {
      ratio: ({ ratio }) => ratio.toFixed(2),
      'requests per second': ({ opsPerS }) => opsPerS.toLocaleString('en'),
      'p99, ms': ({ p99Ms }) => String(p99Ms),
      'Node, µs': ({ nodeCpuUs }) => String(nodeCpuUs),
      'server, µs': ({ serverCpuUs }) => String(serverCpuUs),
    }),
    formatTargets(checkTargets(result, cacheTargets)),
  ].join('\n\n')
  replaceBlock(new URL('../../../docs/benchmarks.md', import.meta.url), 'bench cache', text)
}

type Rows = SuiteResult['workloads']
type Show = (measurement: Measurement) => string

const pick = (rows: Rows, names: readonly string[]): Rows =>
  Object.fromEntries(names.flatMap((name) => (rows[name] ? [[name, rows[name]]] : [])))

/** A row per workload, a column per contestant that was measured. */
function byContestant(rows: Rows, show: Show): string {
  const columns = cacheContestants.filter((name) => Object.values(rows).some((measurements) => name in measurements))
  const lines = Object.entries(rows).map(([workload, measurements]) => [
    workload,
    ...columns.map((name) => (measurements[name] ? show(measurements[name]) : '–')),
  ])
  return table(['workload', ...columns], lines)
}

/** A row per contestant, a column per figure. */
function byFigure(measurements: Rows[string] | undefined, figures: Readonly<Record<string, Show>>): string {
  const lines = Object.entries(measurements ?? {}).map(([name, measurement]) => [
    name,
    ...Object.values(figures).map((show) => show(measurement)),
  ])
  return table(['contestant', ...Object.keys(figures)], lines)
}

function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [row(header), `| --- |${' ---: |'.repeat(header.length - 1)}`, ...lines.map(row)].join('\n')
}
