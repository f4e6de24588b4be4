import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Machine } from './machine.ts'
import type { Measurement } from './measure.ts'

/** What every suite stores in `bench/results/SUITE.json`. */
export interface SuiteResult {
  readonly suite: string
  readonly machine: Machine
  readonly workloads: Readonly<Record<string, Readonly<Record<string, Measurement>>>>
}

/** The lines of a table that people read in a terminal. */
export function formatTable(title: string, measurements: Readonly<Record<string, Measurement>>): string {
  const counts = (['loads', 'stale', 'outdated', 'rssMb'] as const).filter((count) =>
    Object.values(measurements).some((m) => m[count] !== undefined),
  )
  const header = ['contestant', 'ratio', 'ops/s', 'p50 ms', 'p99 ms', 'node µs', 'server µs', ...counts]
  const rows = Object.entries(measurements).map(([name, m]) => [
    name,
    m.ratio.toFixed(2),
    String(Math.round(m.opsPerS)),
    String(m.p50Ms ?? '–'),
    String(m.p99Ms ?? '–'),
    String(m.nodeCpuUs),
    String(m.serverCpuUs),
    ...counts.map((count) => String(m[count] ?? '–')),
  ])
  const widths = header.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]!.length)))
  const line = (cells: readonly string[]): string =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  ')
  return [title, line(header), ...rows.map(line)].join('\n')
}

/** One Markdown table: a row per workload, a column per contestant, ratios in the cells. */
export function formatRatios(result: SuiteResult, contestants: readonly string[]): string {
  const rows = Object.entries(result.workloads)
    .filter(([, measurements]) => Object.keys(measurements).length > 1)
    .map(([name, m]) => `| ${name} | ${contestants.map((key) => m[key]?.ratio.toFixed(2) ?? '–').join(' | ')} |`)
  return [`| workload | ${contestants.join(' | ')} |`, `| --- |${' ---: |'.repeat(contestants.length)}`, ...rows].join(
    '\n',
  )
}

/** One Markdown table: CPU microseconds per operation, Node's + PostgreSQL's. */
export function formatCpu(result: SuiteResult, contestants: readonly string[]): string {
  const cell = (m: Measurement | undefined): string =>
    m ? `${Math.round(m.nodeCpuUs)} + ${Math.round(m.serverCpuUs)}` : '–'
  const rows = Object.entries(result.workloads)
    .filter(([name, m]) => name.endsWith('-c32') && Object.keys(m).length > 1)
    .map(([name, m]) => `| ${name} | ${contestants.map((key) => cell(m[key])).join(' | ')} |`)
  return [`| workload | ${contestants.join(' | ')} |`, `| --- |${' ---: |'.repeat(contestants.length)}`, ...rows].join(
    '\n',
  )
}

/** Replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->` in a Markdown file, and formats it. */
export function replaceBlock(file: URL, name: string, text: string): void {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const before = readFileSync(file, 'utf8')
  const [from, to] = [before.indexOf(open), before.indexOf(close)]
  if (from === -1 || to < from) throw new Error(`The document has no block between ${open} and ${close}`)
  writeFileSync(file, `${before.slice(0, from + open.length)}\n\n${text}\n\n${before.slice(to)}`)
  execFileSync(fileURLToPath(new URL('../../node_modules/.bin/oxfmt', import.meta.url)), [fileURLToPath(file)])
}
