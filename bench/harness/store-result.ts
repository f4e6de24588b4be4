import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { SuiteResult } from './report.ts'

const folder = new URL('../results/', import.meta.url)

/**
 * Stores what a suite has measured in `bench/results/SUITE.json`, and gives all that is there now. A part of the workloads takes the place
 * of what was there of them, where that was measured on the same machine with the same versions; else it would be alone, and is not stored.
 */
export function storeResult(result: SuiteResult, { part }: { readonly part: boolean }): SuiteResult | undefined {
  const file = new URL(`${result.suite}.json`, folder)
  const before = part && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as SuiteResult) : undefined
  if (before !== undefined && !isDeepStrictEqual(before.machine, JSON.parse(JSON.stringify(result.machine)))) {
    console.log(
      '\nNot stored: what is stored was measured on another machine, or with other versions. Run the whole suite.',
    )
    return undefined
  }
  const stored = { ...result, workloads: { ...before?.workloads, ...result.workloads } }
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, `${JSON.stringify(stored, null, 2)}\n`)
  console.log(`\nStored in bench/results/${result.suite}.json and docs/benchmarks.md`)
  return stored
}
