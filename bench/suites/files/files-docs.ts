import { formatRatios, replaceBlock, type SuiteResult } from '../../harness/report.ts'
import { checkTargets, formatTargets } from '../../harness/targets.ts'
import { fileTargets } from './targets.ts'

/** Writes the tables of the last whole run into `docs/benchmarks.md`. */
export function writeFilesDocs(result: SuiteResult): void {
  const { machine, workloads } = result
  const contestants = [...new Set(Object.values(workloads).flatMap((measurements) => Object.keys(measurements)))]
  const rows = Object.entries(workloads).flatMap(([workload, measurements]) =>
    Object.entries(measurements).map(
      ([name, { opsPerS, nodeCpuUs, serverCpuUs, rssMb }]) =>
        `| ${workload} | ${name} | ${Math.round(opsPerS).toLocaleString('en')} | ${Math.round(nodeCpuUs + serverCpuUs)} | ${rssMb ?? '–'} |`,
    ),
  )
  const text = [
    `Measured on ${machine.cores} cores (${machine.cpu}) with ${machine.memoryGb} GB, Node ${machine.node}.`,
    'As a multiple of the contestant with 1.00; larger is better.',
    formatRatios(result, contestants),
    'Megabytes per second, CPU time of the server for each, and the memory that it held at most.',
    ['| workload | contestant | MB/s | CPU, µs/MB | MB held |', '| --- | --- | ---: | ---: | ---: |', ...rows].join(
      '\n',
    ),
    formatTargets(checkTargets(result, fileTargets)),
  ].join('\n\n')
  replaceBlock(new URL('../../../docs/benchmarks.md', import.meta.url), 'bench files', text)
}
