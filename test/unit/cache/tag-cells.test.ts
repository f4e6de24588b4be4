import { expect, test } from 'vitest'
import { TagCells } from '../../../src/cache/tag-cells.ts'

test('what depends on more tags than are remembered is never taken for current', () => {
  const cells = new TagCells(2)
  const snapshot = cells.snapshot(['a', 'b', 'c'])
  cells.bumped(['a'])
  expect(cells.isCurrent(snapshot)).toBe(false)
})

test('a tag that is forgotten ends what depends on it, and one that is met again begins anew', () => {
  const cells = new TagCells(1)
  const first = cells.snapshot(['a'])
  expect(cells.isCurrent(first)).toBe(true)
  const second = cells.snapshot(['b'])
  expect([cells.isCurrent(first), cells.isCurrent(second)]).toEqual([false, true])
  const again = cells.snapshot(['a'])
  expect([cells.isCurrent(second), cells.isCurrent(again)]).toEqual([false, true])
})
