import { describe, expect, test } from 'vitest'
import { textOf, trackedFiles } from './tracked-files.ts'

/** What matches all of the expression's finds, sorted. */
function all(text: string, expression: RegExp): readonly string[] {
  return [...new Set([...text.matchAll(expression)].map((match) => match[1]!))].toSorted()
}

/** The first cells of the table that begins with this heading. */
function rowsOf(page: string, heading: string): string {
  const from = page.indexOf(`| ${heading}`)
  expect(from, `a table of '${heading}'`).toBeGreaterThan(0)
  const table = page.slice(from, page.indexOf('\n\n', from))
  return table
    .split('\n')
    .slice(2)
    .map((row) => row.split('|')[1]!)
    .join('\n')
}

describe('the page of observability', () => {
  const page = textOf('docs/observability.md')

  test('has a row for every type of event, and for no other', () => {
    const types = all(textOf('src/core/events.ts'), /readonly type: '([^']+)'/g)
    expect(types.length).toBeGreaterThan(20)
    expect(all(rowsOf(page, 'event '), /`([^`]+)`/g)).toEqual(types)
  })

  test('has a row for every metric, and for no other', () => {
    const source = trackedFiles().filter((path) => path.startsWith('src/app/metrics/') && path.endsWith('.ts'))
    const names = all(source.map(textOf).join('\n'), /'((?:plimsoll|process|nodejs)_[a-z\d_]+)'/g)
    expect(names.length).toBeGreaterThan(30)
    expect(all(rowsOf(page, 'metric '), /`([^`]+)`/g)).toEqual(names)
  })
})
