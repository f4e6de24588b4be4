import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { errorsPage } from '../../../scripts/errors-page.ts'
import { errorCodes } from '../../../src/core/error-codes.ts'
import { root, textOf, trackedFiles } from './tracked-files.ts'

const used = /['"](PLIMSOLL_[A-Z]+(?:_[A-Z]+)*)['"]/g

/** Names that look like codes and are environment variables. */
const variables = new Set(['PLIMSOLL_SECRET'])

function codesIn(paths: readonly string[]): Set<string> {
  const codes = paths.flatMap((path) => [...textOf(path).matchAll(used)].map((match) => match[1]!))
  return new Set(codes.filter((code) => !variables.has(code)))
}

describe('the error codes', () => {
  const source = trackedFiles().filter((path) => path.startsWith('src/') && path.endsWith('.ts'))
  const codes = Object.keys(errorCodes)

  test('are listed in docs/errors.md with status, title and fix', () => {
    expect(readFileSync(join(root, 'docs/errors.md'), 'utf8')).toBe(errorsPage())
  })

  test('all look alike', () => {
    expect(codes.filter((code) => !/^PLIMSOLL_[A-Z]+(?:_[A-Z]+)*$/.test(code))).toEqual([])
  })

  test('are all thrown somewhere', () => {
    const thrown = codesIn(source.filter((path) => path !== 'src/core/error-codes.ts'))
    expect(codes.filter((code) => !thrown.has(code))).toEqual([])
  })

  test('are all known where they are named', () => {
    expect(
      [...codesIn(trackedFiles().filter((path) => path.endsWith('.ts')))].filter((code) => !codes.includes(code)),
    ).toEqual([])
  })

  test('have a status, a title and a fix that read as sentences', () => {
    for (const [code, { status, title, fix }] of Object.entries(errorCodes)) {
      expect(status, code).toBeGreaterThanOrEqual(400)
      expect(title, code).toMatch(/^[A-Z].*[^.]$/)
      expect(fix, code).toMatch(/^[A-Z`].*\.$/)
    }
  })
})
