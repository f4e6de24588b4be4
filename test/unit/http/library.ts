import { defineRelations } from 'drizzle-orm'
import * as pg from 'drizzle-orm/pg-core'
import Fastify, { type FastifyInstance } from 'fastify'
import { createDb, type Db } from '../../../src/db/index.ts'
import { plimsoll, type PlimsollOptions } from '../../../src/http/index.ts'
import type { Postgres } from '../../../src/postgres/contract.ts'

export const genre = pg.pgEnum('genre', ['novel', 'poem'])

export const authors = pg.pgTable('authors', {
  id: pg.integer().primaryKey(),
  name: pg.text().notNull(),
  born: pg.date(),
})

export const books = pg.pgTable('books', {
  id: pg.integer().primaryKey(),
  title: pg.text().notNull(),
  genre: genre().notNull(),
  pages: pg.integer(),
  price: pg.numeric({ precision: 8, scale: 2 }),
  available: pg.boolean().notNull(),
  notes: pg.jsonb(),
  publishedAt: pg.timestamp('published_at', { withTimezone: true }).notNull(),
  authorId: pg
    .integer('author_id')
    .notNull()
    .references(() => authors.id),
})

export const shelves = pg.pgTable('shelves', { room: pg.integer(), label: pg.text() }, (table) => [
  pg.primaryKey({ columns: [table.room, table.label] }),
])

export const shelvedBooks = pg.pgTable(
  'shelved_books',
  { bookId: pg.integer('book_id').notNull(), room: pg.integer().notNull(), label: pg.text().notNull() },
  (table) => [pg.primaryKey({ columns: [table.bookId, table.room, table.label] })],
)

export const relations = defineRelations({ authors, books, shelves, shelvedBooks }, (r) => ({
  authors: { books: r.many.books({ from: r.authors.id, to: r.books.authorId }) },
  books: { author: r.one.authors({ from: r.books.authorId, to: r.authors.id, optional: false }) },
}))

/** A database that refuses to be asked: parsing, checking and describing need none. */
export function unaskedDb(): { db: Db<typeof relations>; asked: () => number } {
  let asked = 0
  const refuse = (): never => {
    asked++
    throw new Error('the database was asked: select secret from cellar')
  }
  const postgres = {
    execute: refuse,
    batch: refuse,
    cursor: refuse,
    transaction: refuse,
    client: {},
  } as unknown as Postgres
  return { db: createDb({ relations, postgres, secret: 'a secret for tests' }), asked: () => asked }
}

/** The library behind Fastify, and a database that refuses. */
export async function setup(
  options: Omit<PlimsollOptions, 'db'> = {},
): Promise<{ fastify: FastifyInstance; db: Db<typeof relations>; asked: () => number }> {
  const { db, asked } = unaskedDb()
  const fastify = Fastify()
  await fastify.register(plimsoll, { db, ...options })
  fastify.resource('/books', db.books.filter({ available: true }).orderBy('-publishedAt'), {
    fields: ['id', 'title', 'genre', 'price', 'publishedAt', 'author.name', 'author.born'],
    filters: ['title', 'genre', 'pages', 'available', 'notes', 'publishedAt', 'author.name'],
    orders: ['publishedAt', 'title', 'author.name'],
    description: 'Books that can be borrowed.',
  })
  return { fastify, db, asked }
}
