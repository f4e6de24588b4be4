import { defineRelations, sql } from 'drizzle-orm'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { openCaching, type AppCacheOptions, type Caching } from '../../src/app/open-caching.ts'
import { createDb } from '../../src/db/create-db.ts'
import type { Db } from '../../src/db/types.ts'
import { createStatement, openPostgres, type Postgres } from '../../src/postgres/index.ts'
import { buildModelGraph } from '../../src/schema/index.ts'

export const counters = pgTable('counters', { id: integer().primaryKey(), n: integer().notNull() })
export const relations = defineRelations({ counters }, () => ({}))

/** One process of a service, as `createApp` puts it together: a database, a cache, and what keeps it right. */
export interface Service extends AsyncDisposable {
  readonly db: Db<typeof relations>
  readonly postgres: Postgres
  readonly caching: Caching
  /** The counter, cached. */
  read(id: number): Promise<number>
  /** Adds one, and gives the new value when the write is acknowledged. */
  write(id: number): Promise<number>
}

export interface ServiceOptions {
  readonly databaseUrl: string
  readonly cacheUrl: string
  readonly cache?: AppCacheOptions
  readonly replicaUrls?: readonly string[]
}

export async function openService({
  databaseUrl,
  cacheUrl,
  cache = {},
  replicaUrls,
}: ServiceOptions): Promise<Service> {
  const graph = buildModelGraph(relations)
  const postgres = await openPostgres({ url: databaseUrl, replicaUrls })
  const caching = await openCaching(postgres, { url: cacheUrl, graph, options: cache })
  const { queries, writes } = caching
  const db = createDb({ relations, graph, postgres, secret: 'a secret of the tests', cache: queries, writes })
  const rows = replicaUrls ? db.counters.replica() : db.counters
  return {
    db,
    postgres,
    caching,
    read: async (id) => await rows.filter({ id }).cached({ ttl: '1h' }).valuesList('n').one(),
    write: (id) =>
      db.transaction(async (tx) => {
        await tx.counters.filter({ id }).update({ n: sql`n + 1` })
        return (await tx.counters.get(id)).n
      }),
    async [Symbol.asyncDispose]() {
      await caching.close()
      await postgres.close()
    },
  }
}

/** Makes the counters of a database, all zero. */
export async function makeCounters(databaseUrl: string, count: number): Promise<void> {
  await using door = await openPostgres({ url: databaseUrl })
  await door.execute(createStatement('create table counters (id int primary key, n int not null)'), [])
  await door.execute(createStatement(`insert into counters select id, 0 from generate_series(1, ${count}) id`), [])
}
