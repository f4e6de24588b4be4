import { defineRelations } from 'drizzle-orm'
import { boolean, index, integer, pgEnum, pgTable, text } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { engines, open, type Opened } from './open-blog.ts'

const size = pgEnum('size', ['small', 'large', `it's`])

const crates = pgTable(
  'crates',
  {
    id: integer().primaryKey(),
    size: size().notNull(),
    state: text({ enum: ['open', 'shut'] }).notNull(),
    heavy: boolean(),
    label: text().notNull(),
  },
  (t) => [index().on(t.state, t.id)],
)
const relations = defineRelations({ crates }, () => ({ crates: {} }))

const setUp = `create type size as enum ('small', 'large', 'it''s');
create table crates (id int primary key, size size not null, state text not null, heavy boolean, label text not null);
create index open_crates on crates (id) where state = 'open';
insert into crates select n, (array['small','large','it''s'])[n % 3 + 1]::size, (array['open','shut','lost'])[n % 4 / 2 + n % 2 * (n % 7 / 6) + 1],
  nullif(n % 3, 0) = 1, 'open' from generate_series(1, 42) n;
`

describe.each(engines)('constants of the schema on %s', (engine) => {
  let opened: Opened<typeof relations>
  beforeAll(async () => {
    opened = await open(engine, { relations, setUp })
  })
  afterAll(() => opened.close())

  const whereOf = async (filter: object): Promise<string> => {
    const { statements } = await opened.counted(() => opened.db.crates.filter(filter).only('id'))
    return statements[0]!.slice(statements[0]!.indexOf(' where ') + 7)
  }

  it('stand in the statement: members of enums, true and false', async () => {
    expect(await whereOf({ size: 'small' })).toBe(`"crates"."size" = 'small'`)
    expect(await whereOf({ state: { ne: 'open' } })).toBe(`"crates"."state" <> 'open'`)
    expect(await whereOf({ heavy: true })).toBe(`"crates"."heavy" = true`)
    expect(await whereOf({ OR: [{ heavy: false }, { state: 'shut' }] })).toBe(
      `("crates"."heavy" = false or "crates"."state" = 'shut')`,
    )
  })

  it('are told from every other value, which is a parameter', async () => {
    expect(await whereOf({ label: 'open' })).toBe('"crates"."label" = $1')
    expect(await whereOf({ state: `open' or true --` })).toBe('"crates"."state" = $1')
    expect(await whereOf({ state: 'lost' })).toBe('"crates"."state" = $1')
    expect(await whereOf({ size: `it's` })).toBe('"crates"."size" = $1')
    expect(await whereOf({ state: { gt: 'open' } })).toBe('"crates"."state" > $1')
  })

  it('and parameters find the same rows', async () => {
    const { crates: all } = opened.db
    for (const state of ['open', 'shut', 'lost'] as const) {
      const rows = await all.filter({ state: state as 'open' }).orderBy('id')
      expect(rows).toEqual((await all.orderBy('id')).filter((row) => row.state === state))
      expect(rows.length).toBeGreaterThan(0)
    }
    expect(await all.filter({ size: `it's` }).count()).toBe(14)
    expect(await all.filter({ heavy: true }).count()).toBe(14)
  })

  it('belong to the list of a cursor as values do', async () => {
    const open20 = opened.db.crates.filter({ state: 'open' }).orderBy('id')
    const { next } = await open20.page({ size: 2 })
    expect((await open20.page({ size: 2, after: next })).data).toHaveLength(2)
    const other = opened.db.crates.filter({ state: 'shut' }).orderBy('id').page({ size: 2, after: next })
    await expect(other).rejects.toMatchObject({ code: 'PLIMSOLL_CURSOR_INVALID' })
  })

  it('let PostgreSQL use a partial index', async () => {
    const explained = await opened.db.transaction(async (tx) => {
      await tx.drizzle.execute('set local enable_seqscan = off')
      return tx.crates.filter({ state: 'open' }).orderBy('id').limit(3).explain()
    })
    expect(explained).toContain('open_crates')
  })
})
