import { defineRelations, sql } from 'drizzle-orm'
import * as pg from 'drizzle-orm/pg-core'
import { inject } from 'vitest'
import { createApp, type App } from '../../../src/app/index.ts'
import { observe } from '../../../src/core/events.ts'
import { createDatabase, embeddedDatabase } from '../../servers/database.ts'

export const makers = pg.pgTable('makers', {
  id: pg.integer().primaryKey(),
  name: pg.text().notNull(),
  country: pg.text(),
})

export const items = pg.pgTable('items', {
  id: pg.integer().primaryKey(),
  name: pg.text().notNull(),
  kind: pg.text().notNull(),
  rating: pg.integer(),
  price: pg.numeric({ precision: 10, scale: 2 }).notNull(),
  inStock: pg.boolean('in_stock').notNull(),
  addedAt: pg.timestamp('added_at', { withTimezone: true }).notNull(),
  meta: pg.jsonb(),
  hidden: pg.boolean().notNull().default(false),
  secret: pg.text().notNull().default('not for clients'),
  makerId: pg
    .integer('maker_id')
    .notNull()
    .references(() => makers.id),
  resellerId: pg.integer('reseller_id').references(() => makers.id),
})

export const reviews = pg.pgTable(
  'reviews',
  {
    itemId: pg
      .integer('item_id')
      .notNull()
      .references(() => items.id),
    position: pg.integer().notNull(),
    body: pg.text().notNull(),
  },
  (table) => [pg.primaryKey({ columns: [table.itemId, table.position] })],
)

export const relations = defineRelations({ makers, items, reviews }, (r) => ({
  makers: { items: r.many.items({ from: r.makers.id, to: r.items.makerId }) },
  items: {
    maker: r.one.makers({ from: r.items.makerId, to: r.makers.id, optional: false }),
    reseller: r.one.makers({ from: r.items.resellerId, to: r.makers.id }),
    reviews: r.many.reviews({ from: r.items.id, to: r.reviews.itemId }),
  },
  reviews: { item: r.one.items({ from: r.reviews.itemId, to: r.items.id, optional: false }) },
}))

export type Shop = App<typeof relations>

/** How many of the 120 items are listed: every tenth is hidden. */
export const listed = 108

/** The engines that the service is tested on: PGlite, and PostgreSQL when the test run started one. */
export const engines: readonly string[] = inject('postgresUrl') ? ['PGlite', 'PostgreSQL'] : ['PGlite']

/** A shop with a database of its own on an engine; `close` removes it. */
export async function openShop(engine: string): Promise<{ app: Shop; close: () => Promise<void> }> {
  const database = engine === 'PGlite' ? embeddedDatabase : await createDatabase()
  const app = await createApp({ relations, databaseUrl: database.url, secret: 'a secret for tests' })
  await fill(app)
  await addResources(app)
  await app.fastify.ready()
  return {
    app,
    close: async () => {
      await app.close()
      await database.drop()
    },
  }
}

/** What `work` gave, and the texts of the statements it ran. */
export async function counted<T>(work: () => Promise<T>): Promise<{ result: T; statements: string[] }> {
  const statements: string[] = []
  const stop = observe((event) => {
    if (event.type === 'statement' && !/^(?:begin|commit)/i.test(event.text)) statements.push(event.text)
  })
  try {
    return { result: await work(), statements }
  } finally {
    stop()
  }
}

async function addResources({ db, fastify, resource }: Shop): Promise<void> {
  const items = db.items.filter({ hidden: false })
  resource('/items', items.orderBy('-addedAt'), {
    fields: ['id', 'name', 'kind', 'rating', 'price', 'addedAt', 'meta', 'maker.name', 'reseller.name', 'reviews.body'],
    filters: [
      'id',
      'name',
      'kind',
      'rating',
      'price',
      'inStock',
      'addedAt',
      'meta',
      'maker.id',
      'maker.name',
      'reseller.country',
      'reviews.body',
    ],
    orders: ['addedAt', 'rating', 'name', 'maker.name', 'reseller.name', 'price'],
  })
  resource('/makers', db.makers, { fields: ['id', 'name'], detail: { by: 'name' }, pagination: 'page', maxDepth: 100 })
  resource('/items/:itemId/reviews', db.reviews, { fields: ['position', 'body'], orders: ['position'] })
  resource('/makers/:maker/items', items, {
    fields: ['id', 'maker.name'],
    parent: { maker: 'maker.name' },
    detail: false,
  })
  await fastify.register(
    async (plugin) => {
      plugin.resource('/items', items, { fields: ['id', 'maker.name'] })
      plugin.resource('/reviews', db.reviews, { fields: ['body'], parent: { makerId: 'item.makerId' }, detail: false })
    },
    { prefix: '/from/:makerId' },
  )
  resource('/mine', items, {
    fields: ['id', 'maker.name'],
    scope: (request, rows) => rows.filter({ makerId: Number(request.headers['x-maker']) }),
  })
}

async function fill({ db }: Shop): Promise<void> {
  await db.drizzle.execute(sql`create table makers (id int primary key, name text not null, country text)`)
  await db.drizzle.execute(sql`create table items (
    id int primary key, name text not null, kind text not null, rating int, price numeric(10, 2) not null, in_stock boolean not null,
    added_at timestamptz not null, meta jsonb, hidden boolean not null default false, secret text not null default 'not for clients',
    maker_id int not null references makers, reseller_id int references makers)`)
  await db.drizzle.execute(sql`create index on items (maker_id)`)
  await db.drizzle.execute(sql`create table reviews (
    item_id int not null references items, position int not null, body text not null, primary key (item_id, position))`)
  await db.drizzle.execute(
    sql`insert into makers select n, 'Maker ' || n, case when n % 2 = 0 then 'SE' end from generate_series(1, 7) n`,
  )
  // Ties, equal microseconds within a millisecond, and NULLs: what page walks go wrong at.
  await db.drizzle
    .execute(sql`insert into items (id, name, kind, rating, price, in_stock, added_at, meta, hidden, maker_id, reseller_id)
    select n, 'Item "' || n || '" é', case when n % 3 = 0 then 'tool' else 'toy' end, nullif(n % 5, 0), n * 1.5, n % 2 = 0,
      timestamptz '2026-01-01 00:00:00Z' + (n / 4) * interval '1 microsecond', jsonb_build_object('n', n), n % 10 = 0, 1 + n % 7,
      case when n % 4 = 0 then 1 + n % 3 end
    from generate_series(1, 120) n`)
  await db.drizzle.execute(
    sql`insert into reviews select n, p, 'Review ' || p || ' of ' || n from generate_series(1, 60) n, generate_series(1, 3) p`,
  )
  await db.drizzle.execute(sql`analyze`)
}
