import { expect, test } from 'vitest'
import { compile } from './compile.ts'

const tables = 100

/** Tables in a ring: each belongs to the next, may belong to the one after that and to itself, and has tags through a junction. */
function schema(): string {
  const lines = [`import { defineRelations } from 'drizzle-orm'`, `import * as pg from 'drizzle-orm/pg-core'`]
  for (let i = 0; i < tables; i++) {
    lines.push(`export const t${i} = pg.pgTable('t${i}', {
  id: pg.integer().primaryKey().generatedAlwaysAsIdentity(), name: pg.text().notNull(), note: pg.text(), size: pg.bigint({ mode: 'bigint' }),
  kind: pg.text({ enum: ['a', 'b', 'c'] }).notNull().default('a'), data: pg.jsonb().$type<{ a: number }>(), words: pg.text().array(),
  createdAt: pg.timestamp({ withTimezone: true }).notNull().defaultNow(),
  ownerId: pg.integer().notNull(), otherId: pg.integer(), parentId: pg.integer() })`)
  }
  lines.push(`export const tags = pg.pgTable('tags', { slug: pg.text().primaryKey(), label: pg.text().notNull() })`)
  lines.push(`export const tagged = pg.pgTable('tagged', { slug: pg.text().notNull(), rowId: pg.integer().notNull() },
  (t) => [pg.primaryKey({ columns: [t.slug, t.rowId] })])`)
  const names = Array.from({ length: tables }, (_, i) => `t${i}`)
  lines.push(`export const relations = defineRelations({ ${names.join(', ')}, tags, tagged }, (r) => ({`)
  for (let i = 0; i < tables; i++) {
    const next = (i + 1) % tables
    const other = (i + 2) % tables
    const back = (i + tables - 1) % tables
    lines.push(`  t${i}: {
    owner: r.one.t${next}({ from: r.t${i}.ownerId, to: r.t${next}.id, optional: false, alias: 'o${i}' }),
    other: r.one.t${other}({ from: r.t${i}.otherId, to: r.t${other}.id }),
    parent: r.one.t${i}({ from: r.t${i}.parentId, to: r.t${i}.id, alias: 'p${i}' }),
    children: r.many.t${i}({ from: r.t${i}.id, to: r.t${i}.parentId, alias: 'p${i}' }),
    owned: r.many.t${back}({ from: r.t${i}.id, to: r.t${back}.ownerId, alias: 'o${back}' }),
    tags: r.many.tags({ from: r.t${i}.id.through(r.tagged.rowId), to: r.tags.slug.through(r.tagged.slug) }) },`)
  }
  lines.push('}))')
  return lines.join('\n')
}

/** Four kinds of chains, over the tables in turn. Reading a property makes the compiler work out the rows. */
function calls(count: number): string {
  const chains = [
    `filter({ kind: 'a', owner: { name: { like: 'x%' } } }).selectRelated('owner', 'other.owner')
      .only('name', 'owner.name', 'other.owner.name').orderBy('-createdAt', 'owner.name'))[0]!.owner.name`,
    `prefetchRelated('tags', prefetch('children', (c) => c.filter({ size: { gt: 1n } }).only('name').limit(3), { as: 'some' }))
      .exclude({ tags: { slug: 'x' } }))[0]!.some[0]!.name`,
    `filter({ OR: [{ id: 1 }, { parentId: null }] }).orderBy({ by: 'owner.id', nulls: 'last' })
      .values('name', 'owner.other.name', 'parent.note'))[0]!['name']`,
    `selectRelated('parent.parent', 'owner').prefetchRelated('owner.children.tags'))[0]!.owner.children[0]!.tags[0]!.label`,
  ]
  const lines = [
    `import type { Db } from 'plimsoll/db/types.ts'`,
    `import type { PrefetchFunction } from 'plimsoll/db/types/prefetch.ts'`,
    `import type { relations } from './schema.ts'`,
    `declare const db: Db<typeof relations>`,
    `declare const prefetch: PrefetchFunction`,
    `export const texts: string[] = []`,
  ]
  for (let i = 0; i < count; i++)
    lines.push(`texts.push((await db.t${(i * 7) % tables}.${chains[(i + Math.floor(i / tables)) % chains.length]})`)
  return lines.join('\n')
}

test(
  '100 tables and 150 querysets cost the compiler at most 400,000 instantiations',
  { timeout: 120_000 },
  async () => {
    const alone = await compile({ 'schema.ts': schema() })
    const used = await compile({ 'schema.ts': schema(), 'calls.ts': calls(150) })
    expect(used.errors).toEqual([])
    // A schema that resolved to nothing would be cheap.
    expect(used.instantiations - alone.instantiations).toBeGreaterThan(100_000)
    expect(used.instantiations).toBeLessThan(400_000)
  },
)
