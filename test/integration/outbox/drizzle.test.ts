import { defineRelations, eq, sql } from 'drizzle-orm'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/node-postgres'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createDb } from '../../../src/db/create-db.ts'
import { buildModelGraph, tagsOfSql } from '../../../src/schema/index.ts'
import { createStatement } from '../../../src/postgres/index.ts'
import { rowsOf, run } from '../../drivers/door.ts'
import { engines, open as openOutbox, type Opened } from './open.ts'

const authors = pgTable('authors', { id: integer().primaryKey(), name: text().notNull() })
const books = pgTable('books', {
  id: integer().primaryKey(),
  authorId: integer('author_id').references(() => authors.id, { onDelete: 'cascade' }),
})
const relations = defineRelations({ authors, books })
const graph = buildModelGraph(relations)

type Library = ReturnType<typeof createDb<typeof relations>>

/** What was carried since the last look, sorted, a line for each call of the carrier. */
async function open(
  engine: string,
  durable: boolean,
): Promise<Pick<Opened, 'postgres'> & { db: Library; look: () => string[] }> {
  const { postgres, outbox, carried } = await openOutbox(engine, { durable })
  await run(postgres, 'create table if not exists authors (id int primary key, name text not null)')
  await run(
    postgres,
    'create table if not exists books (id int primary key, author_id int references authors on delete cascade)',
  )
  await run(postgres, 'truncate authors cascade')
  postgres.watchWrites(outbox.watcher((written) => tagsOfSql(graph, written)))
  onTestFinished(() => postgres.watchWrites(undefined))
  const look = (): string[] => carried.splice(0).map((line) => line.split(',').toSorted().join())
  const db = createDb({ relations, graph, postgres, secret: 'a secret for tests', writes: outbox })
  return { postgres, db, look }
}

describe.each(engines)('what Drizzle writes on %s', (engine) => {
  describe.each([true, false])('durable: %s', (durable) => {
    test('outside transactions is carried before its caller learns of it', async () => {
      const { db, look } = await open(engine, durable)
      await db.drizzle.insert(authors).values({ id: 1, name: 'Ann' })
      expect(look()).toEqual(['authors,authors*'])
      await db.drizzle.update(authors).set({ name: 'Anna' }).where(eq(authors.id, 1))
      expect(look()).toEqual(['authors,authors*'])
      await db.drizzle.execute(sql`insert into books values (1, 1)`)
      expect(look()).toEqual(['books,books*'])
      await db.drizzle.execute(sql`with gone as (delete from books returning id) select count(*) from gone`)
      expect(look()).toEqual(['books,books*'])
      await db.drizzle.delete(authors)
      // With what goes by the foreign key.
      expect(look()).toEqual(['authors,authors*,books,books*'])
    })

    test('inside transactions is carried once, with what querysets write, after the commit', async () => {
      const { postgres, db, look } = await open(engine, durable)
      await db.transaction(async (tx) => {
        await tx.drizzle.insert(authors).values({ id: 1, name: 'Ann' })
        await tx.books.create({ id: 1, authorId: 1 })
        await db.drizzle.transaction((own) => own.delete(books))
        expect(look()).toEqual([])
      })
      expect(look()).toEqual(['authors,authors*,books,books*,books.author_id=1,books:1'])
      await db.drizzle.transaction((own) => own.insert(books).values({ id: 2, authorId: 1 }))
      expect(look()).toEqual(['books,books*'])
      // A Drizzle of the user's own, on a client of the pool.
      const other = drizzle({ client: postgres.client })
      await other.transaction(async (own) => {
        await own.insert(books).values({ id: 3, authorId: 1 })
        expect(look()).toEqual([])
      })
      expect(look()).toEqual(['books,books*'])
      const rolledBack = other.transaction(async (own) => {
        await own.delete(books)
        own.rollback()
      })
      await expect(rolledBack).rejects.toThrow(/rollback/i)
      expect(look()).toEqual([])
    })

    test('is told from what it reads, and from writes that fail', async () => {
      const { postgres, db, look } = await open(engine, durable)
      await db.drizzle.select().from(authors)
      await db.drizzle.transaction((own) => own.select().from(books).for('update'))
      await rowsOf(postgres, 'select 1')
      await postgres.transaction((tx) => rowsOf(tx, 'select id from books for update'))
      expect(look()).toEqual([])
      await db.drizzle.insert(authors).values({ id: 1, name: 'Ann' })
      look()
      const twice = db.drizzle.insert(authors).values({ id: 1, name: 'Ann' })
      await expect(twice).rejects.toMatchObject({ cause: { code: 'PLIMSOLL_CONSTRAINT_VIOLATED' } })
      expect(look()).toEqual([])
    })

    test('so are plain statements, those too that no transaction can be put around', async () => {
      const { postgres, look } = await open(engine, durable)
      await postgres.execute(createStatement(`insert into authors values (1, 'Ann')`), [])
      expect(look()).toEqual(['authors,authors*'])
      await run(postgres, `do $$ begin insert into books values (1, 1); commit; end $$`)
      // Nobody knows what a block writes.
      expect(look()).toEqual(['authors,authors*,books,books*'])
      const half = run(postgres, `do $$ begin delete from books; commit; perform 1 / 0; end $$`)
      await expect(half).rejects.toMatchObject({ details: { sqlState: '22012' } })
      expect(look()).toEqual(['authors,authors*,books,books*'])
    })
  })
})
