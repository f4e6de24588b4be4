// Prints `N passed, N failed` (and `, N skipped` when there are any) from Vitest's JSON report, and exits 1 unless
// everything passed and something did. Before it, every test that passed only when it was tried again, and why it had failed. The second argument is what the checks as a whole have exited with: those beside the tests count as one.
import { existsSync, readFileSync } from 'node:fs'

interface Report {
  readonly success: boolean
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly numFailedTestSuites: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly TestResult[]
  }[]
}

interface TestResult {
  readonly fullName: string
  readonly status: string
  readonly failureMessages: readonly string[]
}

const path = process.argv[2] ?? ''
if (!existsSync(path)) {
  console.log('The tests did not run: a check before them failed, or Vitest stopped early.')
  console.log('0 passed, 1 failed')
  process.exit(1)
}

const report = JSON.parse(readFileSync(path, 'utf8')) as Report
// A file that fails to load has no failed test in it, and must count all the same.
const brokenFiles = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
for (const file of report.testResults)
  for (const { fullName, status, failureMessages } of file.assertionResults)
    if (status === 'passed' && failureMessages.length > 0)
      console.log(`Flaky, passed when tried again: ${file.name}: ${fullName}\n${failureMessages.join('\n')}\n`)
const beside = report.success && (process.argv[3] ?? '0') !== '0'
if (beside) console.log('All tests passed, but one of the checks beside them failed.')
const failed = report.numFailedTests + brokenFiles.length + Number(beside)
const skipped = report.numPendingTests + report.numTodoTests
console.log(`${report.numPassedTests} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exit(report.success && failed === 0 && report.numPassedTests > 0 ? 0 : 1)
