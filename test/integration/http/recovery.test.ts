import { describe, expect, test, vi } from 'vitest'
import { createApp } from '../../../src/app/index.ts'
import { createDatabase } from '../../servers/database.ts'
import { Wire } from '../../servers/wire.ts'
import { engines, relations } from './shop.ts'

describe.runIf(engines.includes('PostgreSQL'))('a database that goes away', () => {
  test('makes requests 503 with Retry-After, and the service recovers by itself when it returns', async () => {
    const database = await createDatabase()
    const wire = new Wire(database.url)
    await wire.join()
    const app = await createApp({
      relations,
      databaseUrl: wire.url,
      secret: 'a secret for tests',
      postgres: { connectTimeout: '1s' },
    })
    try {
      await app.db.drizzle.execute('create table makers (id int primary key, name text not null, country text)')
      app.resource('/makers', app.db.makers, { fields: ['id'] })
      expect((await app.fastify.inject('/makers')).statusCode).toBe(200)

      await wire.cut()
      await vi.waitFor(
        async () => {
          const down = await app.fastify.inject('/makers')
          expect(down.statusCode).toBe(503)
          expect(down.headers['retry-after']).toMatch(/^[1-9]\d*$/)
          expect(down.headers['cache-control']).toBe('no-store')
          expect(down.json()).toMatchObject({ code: 'PLIMSOLL_DATABASE_UNREACHABLE', status: 503 })
          expect(down.body).not.toMatch(/127\.0\.0\.1|postgres|DATABASE_URL/)
        },
        { timeout: 15_000 },
      )
      // What needs no database is answered all the same.
      expect((await app.fastify.inject('/makers?size=x')).statusCode).toBe(400)

      await wire.join()
      await vi.waitFor(async () => expect((await app.fastify.inject('/makers')).statusCode).toBe(200), {
        timeout: 30_000,
        interval: 100,
      })
    } finally {
      await app.close()
      await wire.cut()
      await database.drop()
    }
  }, 90_000)

  test('that is not there at the start is waited for, in words, for a bounded time', async () => {
    const lines: string[] = []
    const started = createApp({
      relations,
      databaseUrl: 'postgres://nobody:hunter2@127.0.0.1:1/none',
      secret: 'a secret for tests',
      postgres: { startupTimeout: '500ms', onWaiting: (line) => lines.push(line) },
    })
    await expect(started).rejects.toMatchObject({ code: 'PLIMSOLL_DATABASE_UNREACHABLE' })
    expect(lines.length).toBeGreaterThan(0)
    expect(lines.join()).toContain('127.0.0.1')
    expect(lines.join()).not.toContain('hunter2')
  })
})
