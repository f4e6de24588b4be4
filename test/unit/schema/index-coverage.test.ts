import { defineRelations, sql } from 'drizzle-orm'
import { index, integer, pgTable, primaryKey, text, unique, uniqueIndex } from 'drizzle-orm/pg-core'
import { expect, test } from 'vitest'
import { buildModelGraph, indexServes, isUniqueKey } from '../../../src/schema/index.ts'

function setup() {
  const table = pgTable(
    't',
    {
      a: integer().notNull(),
      b: integer().notNull(),
      c: integer(),
      d: integer().notNull(),
      e: text().unique(),
      f: text().notNull().unique(),
      g: integer().notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.a, t.b] }),
      index().on(t.c, t.d.desc()),
      index()
        .on(t.g)
        .where(sql`${t.g} > 0`),
      index().using('hash', t.g),
      uniqueIndex()
        .on(t.g)
        .where(sql`${t.c} is null`),
      unique().on(t.c, t.d),
    ],
  )
  const model = buildModelGraph(defineRelations({ t: table })).models.get('t')!
  const columns = (names: string) => [...names].map((name) => model.columns.get(name)!)
  return {
    serves: (names: string) => indexServes(model, columns(names)),
    isUnique: (names: string) => isUniqueKey(model, columns(names)),
  }
}

test('an index serves a lookup by its leading columns in any order', () => {
  const { serves } = setup()
  expect(['a', 'ab', 'ba', 'c', 'cd', 'dc', 'e', 'f'].map(serves)).toEqual(Array.from({ length: 8 }, () => true))
})

test('an index serves no lookup that skips its first column or names more columns than it has', () => {
  const { serves } = setup()
  expect(['b', 'd', 'abc', 'ac', ''].map(serves)).toEqual([false, false, false, false, false])
})

test('a partial or hash index serves nothing for sure', () => {
  expect(setup().serves('g')).toBe(false)
})

test('columns are a unique key when they hold a unique set without NULLs', () => {
  const { isUnique } = setup()
  expect(['ab', 'ba', 'abc', 'f', 'fg'].map(isUnique)).toEqual([true, true, true, true, true])
  expect(['a', 'b', 'e', 'cd', 'g', ''].map(isUnique)).toEqual([false, false, false, false, false, false])
})
