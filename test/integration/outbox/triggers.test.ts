import { boolean, integer, pgEnum, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { defineRelations } from 'drizzle-orm'
import pg from 'pg'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { createDb } from '../../../src/db/create-db.ts'
import { installTriggers, openOutbox, removeTriggers, type Outbox } from '../../../src/outbox/index.ts'
import { openPostgres, type Postgres } from '../../../src/postgres/index.ts'
import { buildModelGraph } from '../../../src/schema/index.ts'
import { createDatabase, embeddedDatabase } from '../../servers/database.ts'
import { run, valueOf } from '../../drivers/door.ts'

const mood = pgEnum('mood', ['good', "it's bad"])
const owners = pgTable('owners', { id: integer().primaryKey(), handle: text().unique() })
const things = pgTable('things', {
  id: uuid().primaryKey(),
  code: text().unique(),
  flag: boolean().unique(),
  mood: mood().unique(),
  ownerId: integer('owner_id').references(() => owners.id, { onDelete: 'cascade' }),
  note: text(),
})
const relations = defineRelations({ owners, things }, () => ({}))
const graph = buildModelGraph(relations)

const tables = `
  create type mood as enum ('good', 'it''s bad');
  create table owners (id int primary key, handle text unique);
  create table things (id uuid primary key, code text unique, flag boolean unique, mood mood unique,
    owner_id int references owners on delete cascade, note text)`

interface Opened {
  readonly postgres: Postgres
  readonly outbox: Outbox
  /** Runs SQL as somebody who knows nothing of us would. */
  readonly direct: (text: string, values?: unknown[]) => Promise<unknown>
  /** The tags that were carried since the last call. */
  readonly carried: () => readonly string[]
}

async function open(): Promise<Opened> {
  const database = await createDatabase()
  const postgres = await openPostgres({ url: database.url })
  const client = new pg.Client(database.url)
  await client.connect()
  await client.query(tables)
  await installTriggers(postgres, graph)
  const outbox = await openOutbox({ postgres, durable: true, pollMs: 20 })
  let seen: string[] = []
  outbox.carry('cache.bump', async (tags) => void seen.push(...tags))
  onTestFinished(async () => {
    await outbox.close()
    await postgres.close()
    await client.end()
    await database.drop()
  })
  return {
    postgres,
    outbox,
    direct: (text, values) => client.query(text, values),
    carried() {
      const tags = [...new Set(seen)].toSorted()
      seen = []
      return tags
    },
  }
}

const ids = Array.from({ length: 3 }, (_, n) => `0000000${n}-0000-4000-8000-00000000000${n}`)

describe.runIf(inject('postgresUrl'))('the triggers of a table', () => {
  test('record the tags that the same write would bump through us, whatever the values', async () => {
    const { postgres, outbox, direct, carried } = await open()
    const db = createDb({ relations, graph, postgres, secret: 'a secret of the tests', writes: outbox })
    const values = [
      'plain',
      'a b',
      'Größe, 水',
      "it's",
      '%41',
      '',
      'x'.repeat(64),
      'ü'.repeat(33),
      '😀'.repeat(40),
      '\\n\n',
    ]
    for (const [n, code] of values.entries()) {
      const row = {
        id: ids[0]!,
        code,
        flag: n % 2 === 0,
        mood: n % 2 === 0 ? ('good' as const) : ("it's bad" as const),
      }
      await db.things.create(row)
      const ours = carried()
      await db.things.delete()
      carried()
      await direct('insert into things (id, code, flag, mood) values ($1, $2, $3, $4)', [
        row.id,
        code,
        row.flag,
        row.mood,
      ])
      await expect.poll(carried).toEqual(ours)
      await direct('delete from things')
      await expect.poll(carried).toEqual(ours)
    }
  })

  test('record both states of an update, and rows that others lose by a foreign key', async () => {
    const { direct, carried } = await open()
    await direct(`insert into owners values (1, 'ann'), (2, 'bob')`)
    await direct(`insert into things (id, owner_id) values ($1, 1)`, [ids[1]])
    await expect.poll(carried).toContain('owners:2')
    await direct('update things set owner_id = 2')
    let tags: readonly string[] = []
    await expect.poll(() => (tags = [...tags, ...carried()])).toContain('things.owner_id=2')
    expect(tags).toEqual(expect.arrayContaining(['things', `things:${ids[1]}`, 'things.owner_id=1']))
    await direct('delete from owners where id = 2')
    tags = []
    await expect.poll(() => (tags = [...tags, ...carried()])).toContain('owners:2')
    await expect.poll(() => (tags = [...tags, ...carried()])).toContain('things.owner_id=2')
  })

  test('record the whole table for more than 100 rows and for TRUNCATE, and nothing for no rows', async () => {
    const { direct, carried } = await open()
    await direct(`insert into owners select n, 'h' || n from generate_series(1, 101) n`)
    await expect.poll(carried).toEqual(['owners', 'owners*'])
    await direct('update owners set handle = handle where id < 0')
    await direct('truncate owners cascade')
    let tags: readonly string[] = []
    await expect
      .poll(() => (tags = [...tags, ...carried()].toSorted()))
      .toEqual(['owners', 'owners*', 'things', 'things*'])
  })

  test('leave writes of our own to us, in a transaction with others too', async () => {
    const { postgres, outbox, carried } = await open()
    const db = createDb({ relations, graph, postgres, secret: 'a secret of the tests', writes: outbox })
    let rows = 0
    outbox.carry('cache.bump', async () => void rows++)
    await db.owners.create({ id: 1, handle: 'ann' })
    await db.transaction(async (tx) => {
      await tx.owners.filter({ id: 1 }).update({ handle: 'anna' })
    })
    expect(carried()).toEqual(expect.arrayContaining(['owners:1', 'owners.handle=ann', 'owners.handle=anna']))
    // With what a foreign key deletes behind it.
    await db.things.create({ id: ids[0]!, ownerId: 1 })
    await db.owners.delete()
    expect(carried()).toContain('things*')
    expect(await valueOf(postgres, 'select last_value from plimsoll.outbox_id_seq'), 'one for each write').toBe('4')
  })

  test('record what a trigger of the application writes behind a write of our own', async () => {
    const { postgres, outbox, direct, carried } = await open()
    await direct(`create function file_thing() returns trigger language plpgsql as $$
      begin insert into things (id, owner_id) values ('${ids[2]}', new.id); return null; end $$`)
    await direct('create trigger file_thing after insert on owners for each row execute function file_thing()')
    const db = createDb({ relations, graph, postgres, secret: 'a secret of the tests', writes: outbox })
    await db.owners.create({ id: 1, handle: 'ann' })
    let tags: readonly string[] = []
    await expect.poll(() => (tags = [...tags, ...carried()])).toContain(`things:${ids[2]}`)
  })

  test('are changed with the schema, and lock no table that has them', async () => {
    const { postgres, direct, carried } = await open()
    await direct('begin')
    await direct(`insert into owners values (1, 'ann')`)
    // A writer is in the way of whoever creates a trigger.
    expect(await installTriggers(postgres, graph)).toEqual({ tables: ['public.owners', 'public.things'], leftOut: [] })
    await direct('commit')
    await expect.poll(carried).toContain('owners.handle=ann')
    const owners = pgTable('owners', { id: integer().primaryKey() })
    const view = pgTable('ann', { id: integer().primaryKey() })
    await direct('create view ann as select id from owners where id = 1')
    const other = buildModelGraph(defineRelations({ owners, view }, () => ({})))
    expect(await installTriggers(postgres, other)).toEqual({ tables: ['public.owners'], leftOut: ['public.ann'] })
    await direct(`insert into owners values (2, 'bob')`)
    await direct('insert into things (id) values ($1)', [ids[0]])
    await expect.poll(carried).toEqual(['owners', 'owners:2'])
  })

  test('can be installed again, and removed', async () => {
    const { postgres, direct, carried } = await open()
    await installTriggers(postgres, graph)
    await direct(`insert into owners values (1, 'ann')`)
    await expect.poll(carried).toContain('owners:1')
    await removeTriggers(postgres)
    await direct(`insert into owners values (2, 'bob')`)
    expect(await valueOf(postgres, `select last_value from plimsoll.outbox_id_seq`)).toBe('1')
    expect(await valueOf(postgres, `select count(*) from pg_proc where pronamespace = 'plimsoll'::regnamespace`)).toBe(
      '0',
    )
    expect(carried()).toEqual([])
  })
})

test('the triggers of a table work in the embedded database too', async () => {
  await using postgres = await openPostgres({ url: embeddedDatabase.url })
  await run(postgres, 'create table owners (id int primary key, handle text unique)')
  const ownersOnly = buildModelGraph(defineRelations({ owners }, () => ({})))
  await installTriggers(postgres, ownersOnly)
  await using outbox = await openOutbox({ postgres, durable: true, pollMs: 20 })
  const tags: string[] = []
  outbox.carry('cache.bump', async (some) => void tags.push(...some))
  await run(postgres, `insert into owners values (7, 'ann')`)
  await expect.poll(() => tags.toSorted()).toEqual(['owners', 'owners.handle=ann', 'owners:7'])
})
