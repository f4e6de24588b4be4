import { sql } from 'drizzle-orm'
import type { FastifyInstance } from 'fastify'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { createApp } from '../../../src/app/index.ts'
import { decoded, loaded, serve } from './cached-shop.ts'
import { counted, openShop, relations, type Shop } from './shop.ts'

const redisUrl = inject('redisUrl')
const postgresUrl = inject('postgresUrl')

describe.runIf(redisUrl !== '' && postgresUrl !== '')('cached resources of two processes', () => {
  let one: Shop
  let other: Shop
  const servers: FastifyInstance[] = []
  let close: () => Promise<void>

  beforeAll(async () => {
    const cacheUrl = Object.assign(new URL(redisUrl), { search: `?namespace=cached-${process.pid}` }).href
    vi.stubEnv('CACHE_URL', cacheUrl)
    ;({ app: one, close } = await openShop('PostgreSQL'))
    vi.unstubAllEnvs()
    const { rows } = await one.db.drizzle.execute<{ name: string }>(sql`select current_database() as name`)
    const databaseUrl = Object.assign(new URL(postgresUrl), { pathname: `/${rows[0]!.name}` }).href
    other = await createApp({ relations, databaseUrl, cacheUrl, secret: 'a secret for tests' })
    servers.push(await serve(one), await serve(other))
  })
  afterAll(async () => {
    for (const server of servers) await server.close()
    await other.close()
    await close()
  })
  afterEach(() => one.cache.invalidate('items', 'items*', 'makers', 'reviews'))

  const get = (at: 0 | 1, url: string, encoding = 'identity') =>
    servers[at]!.inject({ url, headers: { 'accept-encoding': encoding } })

  test('are the same bytes, read and compressed by one of them', async () => {
    for (const url of ['/items?size=30', '/items?size=5&page=2&total=exact', '/items/7', '/items/9999']) {
      for (const encoding of ['identity', 'br']) {
        const first = await get(0, `/kept${url}`, encoding)
        const { result, statements } = await counted(() => loaded(() => get(1, `/kept${url}`, encoding)))
        const { result: second, keys } = result
        expect(statements).toEqual([])
        expect(keys).toEqual([])
        expect(second.statusCode).toBe(first.statusCode)
        expect(second.rawPayload.equals(first.rawPayload)).toBe(true)
        const { date: _, ...headers } = first.headers
        expect(second.headers).toMatchObject(headers)
        if (second.statusCode === 200) {
          expect(decoded(second).toString()).toBe((await get(1, `/live${url}`)).body)
        }
      }
    }
  })

  test('show what the other has written', async () => {
    for (const at of [0, 1] as const) await get(at, '/kept/items/7?fields=name')
    for (const [writer, name] of [
      [one, 'Written by one'],
      [other, 'Written by the other'],
    ] as const) {
      await writer.db.items.filter({ id: 7 }).update({ name })
      for (const at of [0, 1] as const) {
        await expect.poll(async () => (await get(at, '/kept/items/7?fields=name')).json()).toEqual({ name })
      }
    }
  })

  test('of another secret are not mixed, since pages hold cursors', async () => {
    await get(0, '/kept/items?size=3&order=name')
    const { rows } = await one.db.drizzle.execute<{ name: string }>(sql`select current_database() as name`)
    const databaseUrl = Object.assign(new URL(postgresUrl), { pathname: `/${rows[0]!.name}` }).href
    const cacheUrl = Object.assign(new URL(redisUrl), { search: `?namespace=cached-${process.pid}` }).href
    const third = await createApp({ relations, databaseUrl, cacheUrl, secret: 'another secret of tests' })
    const server = await serve(third)
    const page = (await server.inject('/kept/items?size=3&order=name')).json()
    const next = await server.inject(`/kept/items?size=3&order=name&after=${page.page.next}`)
    expect(next.statusCode).toBe(200)
    await server.close()
    await third.close()
  })
})
