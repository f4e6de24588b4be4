import { formatCpu, formatRatios, replaceBlock, type SuiteResult } from '../harness/report.ts'
import { checkTargets, formatTargets, type Target } from '../harness/targets.ts'

const ratio =
  (workload: string, contestant: string) =>
  ({ workloads }: SuiteResult): number | undefined =>
    workloads[workload]?.[contestant]?.ratio

const p50 = (result: SuiteResult, workload: string): number =>
  result.workloads[workload]?.['plimsoll-json']?.p50Ms ?? Number.NaN

const targets: readonly Target[] = [
  { text: '`json()`, W1-c32', least: 2.2, value: ratio('W1-c32', 'plimsoll-json') },
  { text: '`json()`, W2-c32', least: 2.8, value: ratio('W2-c32', 'plimsoll-json') },
  { text: '`json()`, W3-c32', least: 2.2, value: ratio('W3-c32', 'plimsoll-json') },
  { text: 'rows, W1-rows-c32', least: 1.8, value: ratio('W1-rows-c32', 'plimsoll-rows') },
  { text: 'rows, W2-rows-c32', least: 1.8, value: ratio('W2-rows-c32', 'plimsoll-rows') },
  { text: 'rows, W3-rows-c32', least: 1.8, value: ratio('W3-rows-c32', 'plimsoll-rows') },
  {
    text: 'a cached shape built, planned, compiled and bound, µs',
    most: 5,
    value: ({ workloads }) => workloads['overhead']?.['plimsoll-json']?.nodeCpuUs,
  },
  {
    text: 'keyset page after 50,000 rows ÷ first page, time at concurrency 1',
    most: 1.2,
    value: (result) => p50(result, 'W4-keyset-c1') / p50(result, 'W4-first-c1'),
  },
]

/** Writes the tables of the last whole run into `docs/benchmarks.md`. */
export function writeQueryDocs(result: SuiteResult, contestants: readonly string[]): void {
  const { machine } = result
  const text = [
    `Measured on ${machine.cores} cores (${machine.cpu}) with ${machine.memoryGb} GB, Node ${machine.node}, PostgreSQL ${machine.postgres}.`,
    'Throughput as a multiple of hand-written `pg`; larger is better.',
    formatRatios(result, contestants),
    'CPU microseconds per operation at concurrency 32, Node + PostgreSQL; smaller is better.',
    formatCpu(result, contestants),
    formatTargets(checkTargets(result, targets)),
  ].join('\n\n')
  replaceBlock(new URL('../../docs/benchmarks.md', import.meta.url), 'bench query', text)
}
