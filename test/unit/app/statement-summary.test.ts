import { describe, expect, test } from 'vitest'
import { createSummarizer } from '../../../src/app/tracing/statement-summary.ts'

describe('the summary of a statement', () => {
  test.each([
    ['select "posts"."id" from "posts" as "posts" where "posts"."id" = $1', 'SELECT posts'],
    ['select 1 from "posts" join "public"."users" on true left join posts on true', 'SELECT posts public.users'],
    ['insert into "posts" ("id") values ($1)', 'INSERT posts'],
    ['update only posts set a = $1 from other', 'UPDATE posts other'],
    ['delete from "posts"', 'DELETE posts'],
    ['begin isolation level serializable', 'BEGIN'],
    ['  (select 1)', 'SELECT'],
    ['with a as (select 1 from b) select * from a', 'WITH b a'],
    ['select a is distinct from b.c from d', 'SELECT d'],
    ["select 'from x' from y -- from z", 'SELECT y'],
    ['/* from w */ select 1 from y', 'SELECT y'],
    ['', 'SQL'],
    [
      'select 1 from a, lateral (select from b), c join d on true join e on true join f on true join g on true',
      'SELECT a b d e f',
    ],
  ])('of %j is %j', (text, summary) => {
    expect(createSummarizer()(text).summary).toBe(summary)
  })

  test('is no longer than 255 characters', () => {
    const names = ['a', 'b', 'c', 'd', 'e'].map((name) => name.repeat(63))
    expect(createSummarizer()(`select 1 from ${names.join(' join ')}`).summary.length).toBe(255)
  })
})

describe('the text of a statement', () => {
  test.each([
    ['select $1, $2', 'select $1, $2'],
    ["select 'a', 'it''s', ''", 'select ?, ?, ?'],
    [String.raw`select e'a\'b', 'c'`, 'select ?, ?'],
    ['select $$a$$, $tag$b $$ c$tag$, $1', 'select ?, ?, $1'],
    [`select "it's" from "a""b" where x = 'y'`, `select "it's" from "a""b" where x = ?`],
    ["select 1 -- it's\n from a where b = 'c'", 'select 1 \n from a where b = ?'],
    ["select 'open", 'select ?'],
    ['select $$open', 'select ?'],
  ])('of %j is %j, without what somebody wrote into it', (text, expected) => {
    expect(createSummarizer()(text).text).toBe(expected)
  })

  test('is cut where it is very long, and is then not remembered', () => {
    const summarize = createSummarizer()
    const long = `insert into a values ${'($1), '.repeat(10_000)}`
    expect(summarize(long).text.length).toBe(8000)
    expect(summarize(long)).not.toBe(summarize(long))
    expect(summarize('select 1')).toBe(summarize('select 1'))
  })

  test('is read in no time, whatever it is', () => {
    const summarize = createSummarizer()
    const hostile = [
      "'".repeat(8001),
      '$'.repeat(8001),
      '$a'.repeat(4001),
      '/*'.repeat(4001),
      'from '.repeat(1601),
      '"'.repeat(8001),
      `from ${'a'.repeat(8000)}`,
      `from${' '.repeat(8000)}`,
      "e'\\".repeat(2700),
    ]
    for (const text of hostile) expect(summarize(text).text.length).toBeLessThanOrEqual(8000)
  })
})
