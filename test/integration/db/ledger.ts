// A schema of columns that need care: types that are neither text nor plain numbers, and defaults that the schema makes.
import { defineRelations, sql, type SQL } from 'drizzle-orm'
import {
  customType,
  integer,
  interval,
  jsonb,
  numeric,
  pgEnum,
  pgSchema,
  pgTable,
  text,
  timestamp,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core'

/** Text that is NULL in the database when it is empty. */
const blankable = customType<{ data: string; driverData: string | null }>({
  dataType: () => 'text',
  fromDriver: (value) => value ?? '',
  toDriver: (value) => (value === '' ? null : value),
})

export const mood = pgEnum('mood', ['calm', 'rough'])

export const entries = pgTable('entries', {
  id: uuid()
    .primaryKey()
    .$defaultFn(() => crypto.randomUUID()),
  name: text().notNull().unique(),
  token: text()
    .notNull()
    .$defaultFn(() => `token ${Math.random()}`),
  amount: numeric({ mode: 'bigint' }),
  price: numeric(),
  code: varchar({ length: 10 }),
  mood: mood(),
  span: interval(),
  reference: uuid(),
  words: text().array(),
  counts: integer().array(),
  meta: jsonb(),
  note: blankable(),
  touched: timestamp({ withTimezone: true, precision: 3 })
    .notNull()
    .$onUpdate(() => new Date()),
  revision: integer()
    .notNull()
    .default(1)
    .$onUpdateFn((): SQL => sql`${entries.revision} + 1`),
})

/** Properties that every JavaScript object inherits under the same names. */
export const inherited = pgTable('inherited', {
  id: integer().primaryKey(),
  constructor: text()
    .notNull()
    .$defaultFn(() => 'made')
    .$onUpdate(() => 'changed'),
  toString: text(),
})

/** Its key has to be given, and is called as every object's own function. */
export const keyed = pgTable('keyed', { constructor: integer().primaryKey(), label: text() })

/** A table that is not in the schema `public`. */
export const archived = pgSchema('archive').table('archived', {
  id: integer().primaryKey(),
  views: integer().notNull(),
})

export const relations = defineRelations({ entries, inherited, keyed, archived })

export const ledgerSql = `
create type mood as enum ('calm', 'rough');
create table entries (id uuid primary key, name text not null unique, token text not null, amount numeric, price numeric, code varchar(10),
  mood mood, span interval, reference uuid, words text[], counts integer[], meta jsonb, note text, touched timestamptz(3) not null,
  revision integer not null default 1);
create table inherited (id integer primary key, constructor text not null, "toString" text);
create schema archive;
create table archive.archived (id integer primary key, views integer not null);
create table keyed (constructor integer primary key, label text);
`
