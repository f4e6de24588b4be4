import { defineRelations, sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  char,
  customType,
  doublePrecision,
  index,
  integer,
  numeric,
  pgEnum,
  pgSchema,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  unique,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import type { WireValue } from '../../../src/core/wire.ts'
import {
  buildModelGraph,
  canonicalTextOf,
  cascadeTags,
  keyTag,
  tableTags,
  tagsOfSql,
  valuePart,
  worstTags,
  writtenRowTags,
} from '../../../src/schema/index.ts'
import type { Column, ModelGraph } from '../../../src/schema/model.ts'

const mood = pgEnum('mood', ['glad', 'sad'])
const citext = customType<{ data: string }>({ dataType: () => 'citext' })
const shouted = customType<{ data: string }>({ dataType: () => 'text', toDriver: (value) => value.toUpperCase() })
const app = pgSchema('app')

const owners = pgTable('owners', { id: integer().primaryKey() })
const things = app.table(
  'things',
  {
    id: bigint({ mode: 'bigint' }).primaryKey(),
    slug: text().notNull().unique(),
    ownerId: integer('owner_id').references(() => owners.id, { onDelete: 'cascade' }),
    mood: mood().notNull(),
    flag: boolean(),
    code: varchar({ length: 5 }),
    other: uuid(),
    plain: integer(),
    fixed: char({ length: 3 }).unique(),
    folded: citext().unique(),
    loud: shouted(),
    price: numeric().unique(),
    ratio: doublePrecision().unique(),
    at: timestamp().unique(),
    list: integer().array().unique(),
    second: integer(),
  },
  (t) => [
    index().on(t.mood, t.plain),
    index()
      .on(t.flag)
      .where(sql`true`),
    index().on(t.code),
    index().on(t.other),
    index().on(t.loud),
    index().on(sql`lower(${t.slug})`, t.second),
    index().using('hash', t.plain),
  ],
)
const parts = pgTable(
  'parts',
  {
    thingId: bigint('thing_id', { mode: 'bigint' })
      .notNull()
      .references(() => things.id, { onDelete: 'set null', onUpdate: 'cascade' }),
    number: smallint().notNull(),
    label: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.thingId, t.number] }), unique().on(t.thingId, t.label)],
)
const screws = pgTable('screws', {
  id: integer().primaryKey(),
  partThing: bigint('part_thing', { mode: 'bigint' }).references(() => parts.thingId, { onUpdate: 'set null' }),
})
const loose = pgTable('loose ends', { at: timestamp().primaryKey(), text: text() })

const graph = buildModelGraph(defineRelations({ owners, things, parts, screws, loose }))

function tagsOf(key: string, from: ModelGraph = graph) {
  return tableTags(from, from.models.get(key)!)
}

function column(model: string, key: string): Column {
  return graph.models.get(model)!.columns.get(key)!
}

describe('the tags of a table', () => {
  test('are made of its key and of columns that can be looked up, where equal values have one text', () => {
    const { table, anyRow, key, columns } = tagsOf('things')
    expect([table, anyRow]).toEqual(['app.things', 'app.things*'])
    expect(key?.map((part) => part.column.key)).toEqual(['id'])
    // Unique ones first, then foreign keys, then what leads an index; no `fixed`, `folded`, `price`, `ratio`, `at` and `list`.
    expect(columns.map(({ prefix }) => prefix)).toEqual([
      'app.things.slug=',
      'app.things.owner_id=',
      'app.things.mood=',
      'app.things.flag=',
      'app.things.code=',
      'app.things.other=',
      'app.things.loud=',
    ])
  })

  test('of a key of several columns, and of a key that cannot be spelled', () => {
    const { key, columns } = tagsOf('parts')
    expect(key?.map((part) => part.column.key)).toEqual(['thingId', 'number'])
    expect(columns.map(({ prefix }) => prefix)).toEqual(['parts.thing_id='])
    expect(tagsOf('loose')).toMatchObject({ table: 'loose%20ends', key: undefined, columns: [], written: [] })
  })

  test('that is there as two models are those that both know of', () => {
    const full = pgTable('posts', { id: integer().primaryKey(), author: integer(), slug: text() }, (t) => [
      index().on(t.author),
      index().on(t.slug),
    ])
    const slim = pgTable('posts', { id: integer().primaryKey(), author: integer(), slug: citext() }, (t) => [
      index().on(t.author),
      index().on(t.slug),
    ])
    const both = buildModelGraph(defineRelations({ full, slim }))
    for (const key of ['full', 'slim']) {
      expect(tagsOf(key, both).columns.map(({ prefix }) => prefix)).toEqual(['posts.author='])
      expect(tagsOf(key, both).key).toHaveLength(1)
    }
    const other = pgTable('posts', { id: integer(), author: integer().primaryKey() })
    const apart = buildModelGraph(defineRelations({ full, other }))
    expect(tagsOf('full', apart).key).toBeUndefined()
    expect(tagsOf('other', apart).columns.map(({ prefix }) => prefix)).toEqual(['posts.author='])
  })

  test('of rows name each in every way that it is read by', () => {
    const tags = tagsOf('parts')
    expect(tags.written.map(({ key }) => key)).toEqual(['thingId', 'number'])
    const rows = [
      ['7', '1'],
      ['7', '2'],
    ]
    expect(writtenRowTags(tags, rows)).toEqual(['parts', 'parts:7:1', 'parts.thing_id=7', 'parts:7:2'])
    expect(writtenRowTags(tags, [])).toEqual([])
  })
})

describe('a value in a tag', () => {
  const spelled: readonly [string, string, WireValue, string | undefined][] = [
    ['things', 'id', 7n, '7'],
    ['things', 'id', '007', '7'],
    ['things', 'id', '-0', '0'],
    ['things', 'id', -0, '0'],
    ['things', 'id', 2 ** 60, '1152921504606847000'],
    ['things', 'id', '0x1f', undefined],
    ['things', 'id', true, undefined],
    ['things', 'slug', 'Ä, b:c', 'Ä, b:c'],
    ['things', 'slug', 5, '5'],
    ['things', 'slug', true, 't'],
    ['things', 'slug', '\ud800', '\ufffd'],
    ['things', 'slug', Buffer.from('x'), undefined],
    ['things', 'mood', 'glad', 'glad'],
    ['things', 'mood', 1, undefined],
    ['things', 'flag', true, 't'],
    ['things', 'flag', 'false', 'f'],
    ['things', 'flag', 'yes', undefined],
    ['things', 'other', '{A0EEBC999C0B4EF8BB6D6BB9BD380A11}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['things', 'other', 'a0eebc99-9c0b-4ef8-bb6d', undefined],
  ]
  test.each(spelled)('%s.%s from %s is %s', (model, key, wire, text) => {
    expect(canonicalTextOf(column(model, key))!(wire)).toBe(text)
  })

  test('has one spelling that fits a header, and no other value has it', () => {
    expect(valuePart('')).toBe('')
    expect(valuePart(null)).toBe('%00')
    expect(valuePart('a b,c=d~%é')).toBe('a%20b%2Cc%3Dd%7E%25%C3%A9')
    expect(valuePart('x'.repeat(64))).toBe('x'.repeat(64))
    expect(valuePart('x'.repeat(65))).toMatch(/^~[\w-]{22}$/)
    expect(keyTag('t', ['a:b', 'c', null])).toBe('t:a%3Ab:c:%00')
    // PostgreSQL's text has no NUL, which spells null here.
    const texts = fc.option(
      fc.string({ unit: 'binary', maxLength: 100 }).map((text) => text.replaceAll('\0', '')),
      { freq: 9 },
    )
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        expect(valuePart(a)).toMatch(/^[\w%~-]{0,192}$/)
        expect(valuePart(a) === valuePart(b)).toBe((a?.toWellFormed() ?? null) === (b?.toWellFormed() ?? null))
      }),
    )
  })

  test('is the text that the database writes, however an integer or a UUID is spelled', () => {
    const id = canonicalTextOf(column('things', 'id'))!
    const other = canonicalTextOf(column('things', 'other'))!
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.nat(5), (value, zeros) => {
        expect(id(value)).toBe(String(value))
        const digits = `${value < 0n ? '-' : ''}${'0'.repeat(zeros)}${value < 0n ? -value : value}`
        expect(id(digits)).toBe(String(value))
      }),
    )
    fc.assert(
      fc.property(fc.uuid(), fc.boolean(), fc.boolean(), (value, upper, bare) => {
        const spelling = bare ? value.replaceAll('-', '') : `{${value}}`
        expect(other(upper ? spelling.toUpperCase() : spelling)).toBe(value)
      }),
    )
  })
})

describe('foreign keys', () => {
  const { models } = graph
  test('are followed as far as they change rows', () => {
    expect(cascadeTags(graph, models.get('owners')!, { kind: 'delete' })).toEqual([
      'app.things',
      'app.things*',
      // Things go along, so the parts of those lose theirs, and then the screws that name these.
      'parts',
      'parts*',
      'screws',
      'screws*',
    ])
    const things = models.get('things')!
    expect(cascadeTags(graph, things, { kind: 'update', columns: [column('things', 'slug')] })).toEqual([])
    expect(cascadeTags(graph, things, { kind: 'update', columns: [column('things', 'id')] })).toEqual([
      'parts',
      'parts*',
      'screws',
      'screws*',
    ])
    expect(cascadeTags(graph, models.get('parts')!, { kind: 'delete' })).toEqual([])
    expect(cascadeTags(graph, models.get('parts')!, { kind: 'truncate' })).toEqual(['screws', 'screws*'])
  })

  test('are followed through tables that are no models', () => {
    const tops = pgTable('tops', { id: integer().primaryKey() })
    const middles = pgTable('middles', {
      id: integer().primaryKey(),
      top: integer().references(() => tops.id, { onDelete: 'cascade' }),
    })
    const bottoms = pgTable('bottoms', {
      id: integer().primaryKey(),
      middle: integer().references(() => middles.id, { onDelete: 'set null' }),
    })
    const gap = buildModelGraph(defineRelations({ tops, bottoms }))
    expect(cascadeTags(gap, gap.models.get('tops')!, { kind: 'delete' })).toEqual(['bottoms', 'bottoms*'])
    expect(tagsOfSql(gap, 'delete from middles')).toEqual(['bottoms', 'bottoms*'])
    expect(tagsOfSql(gap, 'insert into middles values (1)')).toEqual([])
  })

  test('are in the worst that a write can have done', () => {
    expect(worstTags(graph, models.get('parts')!)).toEqual(['parts', 'parts*', 'screws', 'screws*'])
    expect(worstTags(graph, models.get('screws')!)).toEqual(['screws', 'screws*'])
  })
})

describe('SQL of unknown origin', () => {
  const both = (...tables: string[]): string[] => tables.flatMap((table) => [table, `${table}*`]).toSorted()
  const all = both('owners', 'app.things', 'parts', 'screws', 'loose%20ends')
  const read = (text: string): string[] => tagsOfSql(graph, text).toSorted()

  const writing: readonly [string, string[]][] = [
    ['insert into parts values (1)', both('parts')],
    ['INSERT INTO "parts" ("thing_id") SELECT id FROM app.things', both('parts')],
    ['insert into app.things values (1)', both('app.things')],
    ['insert into things values (1)', both('app.things')],
    ['insert into elsewhere.things values (1)', []],
    ['insert into anywhere.parts values (1)', both('parts')],
    ['insert into "Parts" values (1)', []],
    ['insert into Parts values (1)', both('parts')],
    ['insert into "loose ends" values (now())', both('loose%20ends')],
    ['insert into parts values (1) on conflict (number) do update set number = 2', both('parts', 'screws')],
    ['update only parts as p set number = 1', both('parts', 'screws')],
    ['update/**/parts set number = 1', both('parts', 'screws')],
    ['delete from owners', both('owners', 'app.things', 'parts', 'screws')],
    ['delete from parts using screws where true', both('parts')],
    ['merge into parts p using screws s on true when matched then delete', both('parts', 'screws')],
    ['truncate table only screws, parts', both('screws', 'parts')],
    ['truncate owners cascade', both('owners', 'app.things', 'parts', 'screws')],
    ['copy parts (number) from stdin', both('parts')],
    ['copy (delete from screws returning *) to stdout', both('screws')],
    ['alter table if exists only parts drop column number', both('parts')],
    ['drop table if exists parts, screws', both('parts', 'screws')],
    ['with gone as (delete from screws returning *) select * from gone', both('screws')],
    ['with a as (select 1), b as (insert into parts select * from a returning *) table b', both('parts')],
    ['explain (analyze, format json) update screws set id = 1', both('screws')],
    ['explain analyze verbose delete from screws', both('screws')],
    ['prepare p as delete from screws where id = $1', both('screws')],
    ['refresh materialized view concurrently parts', both('parts')],
    ["select ';'; insert into parts values (1); delete from screws", both('parts', 'screws')],
    ["insert into parts values ('-- ', '/*'); delete from screws -- and that is all", both('parts', 'screws')],
    ["insert into parts values (e'it\\'s; delete from screws')", both('parts')],
    ['insert into parts values ($$delete from screws$$, $x$ $$ update owners $x$)', both('parts')],
  ]
  it.each(writing)('writes by %s', (text, tags) => expect(read(text)).toEqual(tags))

  it.each([
    'select * from parts for update',
    'select * from parts for no key update of parts skip locked',
    'select 1 /* delete from /* nested */ parts */ -- update parts',
    "select 'delete from parts', 'it''s', U&'d\\0061ta', B'1', $1::text, \"update\" from parts",
    'select $q$ delete from parts $q$, $1, a$b from parts',
    '(select 1) union (select 2)',
    'select "delete from parts" from parts',
    'select count(*), now(), lower(label) from parts where my_own(label)',
    "select set_config('a', 'b', true)",
    "select make_date(2026, 1, 1), to_char(now(), 'YYYY'), jsonb_build_object('a', 1), pg_backend_pid()",
    'select pg_advisory_xact_lock(1)',
    'select exists (select 1), coalesce(null, 1), pg_catalog.upper($1)',
    'with recursive up(id) as (select 1 union all select id + 1 from up) select * from up',
    'values (1), (2)',
    'table parts',
    'begin isolation level serializable',
    'set local statement_timeout = 5',
    'savepoint a; release a; commit',
    'listen parts',
    'create index on parts (number)',
    'create table copies as select * from parts',
    'drop index some_index',
    'copy parts to stdout',
    'explain select * from parts',
    'lock table parts in share mode',
    'insert into unknown_table values (1)',
    '',
    ' ; ;; ',
  ])('only reads by %s', (text) => expect(read(text)).toEqual([]))

  it.each([
    'call refresh()',
    'do $$ begin delete from parts; end $$',
    'execute p(1)',
    'explain execute p',
    'select refresh_parts()',
    'select * from refresh_parts($1)',
    'select app.lower(1)',
    'with x as (select 1) select refresh_parts()',
    // Named as many of PostgreSQL's own are.
    'select make_order(1)',
    'select * from to_archive(1)',
    'select json_import($1)',
    'select array_rebuild(), date_shift_all()',
    "alter type mood rename value 'glad' to 'merry'",
    'drop schema app cascade',
    'drop view v cascade',
    'import foreign schema x from server y into z',
    // What the server makes of these, its settings say.
    "insert into parts values ('it\\'s')",
    'delete from U&"p\\0061rts"',
  ])('may write anything by %s', (text) => expect(read(text)).toEqual(all))

  it('is told from what stands in strings, comments and quoted names, whatever surrounds it', () => {
    const noise = fc.constantFrom(
      ' ',
      '\n',
      '/* delete from screws; */',
      '/* /* update */ screws */',
      '-- insert into screws\n',
      ' \t',
    )
    const hidden = fc.constantFrom(
      "'delete from screws'",
      "'; truncate screws; --'",
      "''",
      "'it''s'",
      "E'\\'; delete from screws; --'",
      '$$; delete from screws; $$',
      '$a$ $$ delete from screws $b$ $a$',
      '"delete from screws"',
      '$1',
      '1.5e3',
      'nu$ll',
    )
    const filler = fc
      .array(fc.tuple(noise, hidden), { minLength: 1, maxLength: 4 })
      .map((items) => items.map((item) => item.join('')).join(','))
    const tables = fc.constantFrom('parts', 'PARTS', '"parts"', 'public.parts', '"public" . "parts"')
    const statement = fc.oneof(
      fc
        .tuple(noise, tables, noise, filler)
        .map(([a, table, b, c]) => ({ text: `insert${a}into${b}${table}${a} values (${c})`, writes: true })),
      fc.tuple(noise, tables, filler).map(([a, table, c]) => ({
        text: `with${a}x as (delete${a}from${a}${table}${a} where${c} is null returning 1) select${c}`,
        writes: true,
      })),
      fc
        .tuple(noise, tables, filler)
        .map(([a, table, c]) => ({ text: `select${a}${c}${a}from${a}${table}${a}for${a}update`, writes: false })),
      filler.map((c) => ({ text: `select ${c}`, writes: false })),
    )
    fc.assert(
      fc.property(fc.array(statement, { minLength: 1, maxLength: 3 }), (statements) => {
        const text = statements.map((one) => one.text).join(';')
        // A comment may stand for the blank between two words.
        expect(read(text)).toEqual(statements.some((one) => one.writes) ? both('parts') : [])
      }),
      { numRuns: 500 },
    )
  })

  it('of any kind is answered, in time, with tags that there are', () => {
    const words =
      'insert into update delete from merge truncate copy alter drop table with as select on conflict cascade'
    const marks = `( ) ; , . * parts "parts" app.things ' e' " $$ $a$ /* */ -- \\ \0 \ud800 é $1 U&" ::`
    const pieces = fc.constantFrom(...`${words} ${marks}`.split(' '), '\n')
    fc.assert(
      fc.property(
        fc.array(fc.oneof(pieces, fc.string({ unit: 'binary', maxLength: 5 })), { maxLength: 40 }),
        (parts) => {
          const tags = read(parts.join(parts.length % 2 ? ' ' : ''))
          expect(all).toEqual(expect.arrayContaining(tags))
        },
      ),
      { numRuns: 2000 },
    )
    // Work that grows with the square of the length would run into the time-out of the test.
    read(`insert into parts values (${"'x', ".repeat(200_000)} 1)`)
    read('('.repeat(200_000))
    read('/*'.repeat(200_000))
    read('a.'.repeat(200_000))
    read(`truncate ${'a,'.repeat(200_000)}`)
  })
})
