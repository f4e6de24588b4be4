import type { Measurement } from '../../harness/measure.ts'
import { formatRatios, replaceBlock, type SuiteResult } from '../../harness/report.ts'
import { checkTargets, formatTargets } from '../../harness/targets.ts'
import { fileTargets } from './targets.ts'

type Workload = Readonly<Record<string, Measurement>>

/** Writes the tables of the last whole run into `docs/benchmarks.md`. */
export function writeFilesDocs(result: SuiteResult): void {
  const { machine } = result
  // Their operations are no megabytes, and of the ratio of an encode less is better.
  const { encode, 'scale-out': scaleOut, 'first-frame': firstFrame, ...workloads } = result.workloads
  const contestants = [...new Set(Object.values(workloads).flatMap((measurements) => Object.keys(measurements)))]
  const text = [
    `Measured on ${machine.cores} cores (${machine.cpu}) with ${machine.memoryGb} GB, Node ${machine.node}.`,
    'Bytes per second, as a multiple of the contestant with 1.00; larger is better.',
    formatRatios({ ...result, workloads }, contestants),
    'Megabytes per second, CPU time of the server for each, and the memory that it held at most.',
    bytesTable(workloads),
    ...(encode === undefined
      ? []
      : [
          'An encode: how long all of the clip takes, the CPU time for each second of it, and that as a multiple of a bare `ffmpeg`. Smaller is better.',
          encodeTable(encode),
        ]),
    ...(scaleOut === undefined
      ? []
      : [
          'An encode that machines share, of which one is this and the others are played back. A larger multiple is better.',
          scaleOutTable(scaleOut),
        ]),
    ...(firstFrame === undefined
      ? []
      : ['From a press on play to the first picture. Smaller is better.', firstFrameTable(firstFrame)]),
    formatTargets(checkTargets(result, fileTargets)),
  ].join('\n\n')
  replaceBlock(new URL('../../../docs/benchmarks.md', import.meta.url), 'bench files', text)
}

function bytesTable(workloads: Readonly<Record<string, Workload>>): string {
  const rows = Object.entries(workloads).flatMap(([workload, measurements]) =>
    Object.entries(measurements).map(([name, { opsPerS, nodeCpuUs, serverCpuUs, rssMb }]) => [
      workload,
      name,
      Math.round(opsPerS).toLocaleString('en'),
      Math.round(nodeCpuUs + serverCpuUs),
      rssMb ?? '–',
    ]),
  )
  return table(['workload', 'contestant', 'MB/s', 'CPU, µs/MB', 'MB held'], { texts: 2, rows })
}

function encodeTable(encode: Workload): string {
  const rows = Object.entries(encode).map(([name, { p50Ms, nodeCpuUs, serverCpuUs, ratio }]) => [
    name,
    (p50Ms! / 1000).toFixed(1),
    ((nodeCpuUs + serverCpuUs) / 1e6).toFixed(2),
    ratio.toFixed(2),
  ])
  return table(['contestant', 'wall, s (p50)', 'CPU, s/s', 'CPU ÷ ffmpeg'], { texts: 1, rows })
}

function scaleOutTable(scaleOut: Workload): string {
  const rows = Object.entries(scaleOut).map(([name, { p50Ms, ratio }]) => [
    name,
    (p50Ms! / 1000).toFixed(1),
    ratio.toFixed(2),
  ])
  return table(['contestant', 'wall, s', 'as quick as one pass'], { texts: 1, rows })
}

function firstFrameTable(firstFrame: Workload): string {
  const rows = Object.entries(firstFrame).map(([name, { p50Ms, p99Ms }]) => [
    name,
    Math.round(p50Ms!),
    Math.round(p99Ms!),
  ])
  return table(['contestant', 'p50, ms', 'p99, ms'], { texts: 1, rows })
}

/** A Markdown table whose first columns are texts, and the others numbers. */
function table(
  head: readonly string[],
  { texts, rows }: { readonly texts: number; readonly rows: readonly (readonly (string | number)[])[] },
): string {
  const line = head.map((_, column) => (column < texts ? '---' : '---:'))
  return [head, line, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
