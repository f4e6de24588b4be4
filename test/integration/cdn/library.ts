// An application whose public answers an edge keeps.
import { defineRelations, sql } from 'drizzle-orm'
import * as pg from 'drizzle-orm/pg-core'
import { createApp, type App, type AppOptions } from '../../../src/app/index.ts'

export const authors = pg.pgTable('authors', {
  id: pg.integer().primaryKey(),
  name: pg.text().notNull(),
})

export const books = pg.pgTable('books', {
  id: pg.integer().primaryKey(),
  title: pg.text().notNull(),
  authorId: pg
    .integer('author_id')
    .notNull()
    .references(() => authors.id),
})

export const relations = defineRelations({ authors, books }, (r) => ({
  authors: { books: r.many.books({ from: r.authors.id, to: r.books.authorId }) },
  books: { author: r.one.authors({ from: r.books.authorId, to: r.authors.id, optional: false }) },
}))

export type Library = App<typeof relations>

/** Opens the application with a CDN, and what is served by it. */
export async function openLibrary(options: Omit<AppOptions<typeof relations>, 'relations'>): Promise<Library> {
  const app = await createApp({ relations, secret: 'a secret for tests', ...options })
  const cache = { ttl: '1h', shared: '1h', visibility: 'public' } as const
  app.resource('/books', app.db.books.orderBy('id'), { fields: ['id', 'title'], cache })
  app.resource('/authors', app.db.authors.orderBy('id'), { fields: ['id', 'name', 'books.title'], cache })
  app.downloads('/files', { cache: '1h' })
  return app
}

/** Makes the tables, with two authors and four books. */
export async function fillLibrary({ db }: Library): Promise<void> {
  await db.drizzle.execute(sql`create table authors (id int primary key, name text not null)`)
  await db.drizzle.execute(
    sql`create table books (id int primary key, title text not null, author_id int not null references authors)`,
  )
  await db.drizzle.execute(sql`create index on books (author_id)`)
  await db.drizzle.execute(sql`insert into authors values (1, 'One'), (2, 'Two')`)
  await db.drizzle.execute(sql`insert into books values (1, 'A', 1), (2, 'B', 1), (3, 'C', 2), (4, 'D', 2)`)
}
