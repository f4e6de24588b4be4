import { defineRelations, sql } from 'drizzle-orm'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { createApp, type App } from '../../../src/app/index.ts'
import { createDatabase, type Database } from '../../servers/database.ts'

const users = pgTable('users', { id: integer().primaryKey(), name: text().notNull() })
const relations = defineRelations({ users })
const stores = [
  ['Redis', inject('redisUrl')],
  ['Memcached', inject('memcachedUrl')],
].filter(([, url]) => url !== '') as [string, string][]
let spaces = 0

describe.runIf(inject('postgresUrl')).each(stores)('databases with one cache in %s', (_, url) => {
  async function open(database: Database, cacheUrl: string): Promise<App<typeof relations>> {
    const app = await createApp({ relations, databaseUrl: database.url, cacheUrl, secret: 'a secret for tests' })
    app.resource('/users', app.db.users, { fields: ['id', 'name'], cache: true })
    onTestFinished(() => app.close())
    return app
  }

  async function make(name: string): Promise<Database> {
    const database = await createDatabase()
    onTestFinished(() => database.drop())
    const app = await createApp({ relations, databaseUrl: database.url, secret: 'a secret for tests' })
    await app.db.drizzle.execute(sql`create table users (id int primary key, name text not null)`)
    await app.db.users.create({ id: 1, name })
    await app.close()
    return database
  }

  test('answer with their own rows alone, and share what they have between their processes', async () => {
    const cacheUrl = `${url}?namespace=databases-${process.pid}-${++spaces}`
    const [one, two] = [await make('of one'), await make('of two')]
    const apps = [await open(one, cacheUrl), await open(two, cacheUrl), await open(one, cacheUrl)]
    const names: string[] = []
    for (const { db, fastify } of apps) {
      const [row] = await db.users.cached({ ttl: '1h' })
      const { data } = (await fastify.inject('/users')).json() as { data: { name: string }[] }
      names.push(`${row!.name}, ${data[0]!.name}`)
    }
    expect(names).toEqual(['of one, of one', 'of two, of two', 'of one, of one'])
    expect(apps.map(({ cache }) => cache.statistics().loads)).toEqual([2, 2, 0])
  })
})
