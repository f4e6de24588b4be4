import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { root, textOf } from './tracked-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'plimsoll-ci-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What CI says at its end about a report of Vitest's, when all checks together have exited with `checks`. */
function count(
  report: object | undefined,
  checks = 0,
): { line: string | undefined; status: number | null; text: string } {
  const path = join(folder, 'tests.json')
  rmSync(path, { force: true })
  if (report) writeFileSync(path, JSON.stringify(report))
  const args = [join(root, 'scripts/count-tests.ts'), path, String(checks)]
  const run = spawnSync(process.execPath, args, { encoding: 'utf8' })
  return { line: run.stdout.trimEnd().split('\n').at(-1), status: run.status, text: run.stdout }
}

const adds = { fullName: 'adds', status: 'passed', failureMessages: [] }
const passed = { name: 'a.test.ts', status: 'passed', assertionResults: [adds] }
const report = {
  success: true,
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [passed],
}

describe('CI', () => {
  test("installs, then runs the README's test command and nothing else", () => {
    const commands = textOf('.ci/run')
      .split('\n')
      .filter((line) => line.startsWith('npm '))
    expect(commands).toEqual([expect.stringMatching(/^npm ci\b/), 'npm test </dev/null'])
    expect(textOf('README.md')).toMatch(/^```sh\nnpm test\n```$/m)
  })

  test('ends with the counts when everything passed', () => {
    expect(count(report)).toMatchObject({ text: '3 passed, 0 failed\n', status: 0 })
    expect(count({ ...report, numPendingTests: 2 })).toMatchObject({ line: '3 passed, 0 failed, 2 skipped', status: 0 })
  })

  test('names what passed only when it was tried again, and why it had failed', () => {
    const flaky = { ...adds, failureMessages: ['expected 1 to be 2'] }
    const { text, status } = count({ ...report, testResults: [{ ...passed, assertionResults: [adds, flaky] }] })
    expect(text).toBe('Flaky, passed when tried again: a.test.ts: adds\nexpected 1 to be 2\n\n3 passed, 0 failed\n')
    expect(status).toBe(0)
  })

  test('fails when a test failed, when a file could not be loaded, and when the run itself went wrong', () => {
    expect(count({ ...report, success: false, numFailedTests: 1 })).toMatchObject({
      line: '3 passed, 1 failed',
      status: 1,
    })
    const broken = { name: 'b.test.ts', status: 'failed', assertionResults: [] }
    expect(count({ ...report, testResults: [passed, broken] })).toMatchObject({ line: '3 passed, 1 failed', status: 1 })
    expect(count({ ...report, success: false }).status).toBe(1)
  })

  test('fails when a check beside the tests failed, which counts as one', () => {
    expect(count(report, 1)).toMatchObject({ line: '3 passed, 1 failed', status: 1 })
    expect(count({ ...report, success: false, numFailedTests: 1 }, 1).line).toBe('3 passed, 1 failed')
  })

  test('runs every check beside the tests', () => {
    const { scripts } = JSON.parse(textOf('package.json')) as { scripts: Record<string, string> }
    const run = (name: string): string[] =>
      scripts[name]!.split(' && ').flatMap((step) => (step.startsWith('npm run ') ? run(step.slice(8)) : [step]))
    expect(run('test')).toEqual(['node scripts/build.ts', 'node scripts/check.ts'])
    expect(run('static').map((step) => step.split(' ')[0])).toEqual([
      'oxfmt',
      'publint',
      'attw',
      'knip',
      'node',
      'tsc',
      'tsc',
    ])
  })

  test('fails when no test ran', () => {
    expect(count(undefined)).toMatchObject({ line: '0 passed, 1 failed', status: 1 })
    expect(count({ ...report, numPassedTests: 0, testResults: [] }).status).toBe(1)
  })
})
