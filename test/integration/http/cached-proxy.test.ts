import type { FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasNginx, startNginx, type CachingProxy } from '../../servers/nginx.ts'
import { serve } from './cached-shop.ts'
import { openShop, type Shop } from './shop.ts'

interface Fetched {
  readonly status: number
  readonly text: string
  readonly headers: Headers
  /** What nginx says of its cache. */
  readonly cache: string | null
}

describe.runIf(hasNginx())('behind a cache that clients share', () => {
  let app: Shop
  let close: () => Promise<void>
  const started: { server: FastifyInstance; proxy: CachingProxy }[] = []

  beforeAll(async () => void ({ app, close } = await openShop('PGlite')))
  afterAll(async () => {
    for (const { server, proxy } of started) {
      await proxy.stop()
      await server.close()
    }
    await close()
  })

  async function open(options: Parameters<typeof serve>[1]) {
    const server = await serve(app, options)
    await server.listen({ port: 0, host: '127.0.0.1' })
    const proxy = await startNginx(`http://127.0.0.1:${(server.server.address() as AddressInfo).port}`)
    started.push({ server, proxy })
    return async (path: string, headers: Record<string, string> = {}): Promise<Fetched> => {
      const answer = await fetch(proxy.url + path, { headers: { 'accept-encoding': 'identity', ...headers } })
      const { status, headers: got } = answer
      return { status, text: await answer.text(), headers: got, cache: got.get('x-cache') }
    }
  }

  test('each client gets its own rows, never another’s, with and without cookies', async () => {
    const get = await open({ cache: { ttl: '1h' } })
    const makersIn = (text: string): number[] => [
      ...new Set((JSON.parse(text) as { data: { maker: { id: number } }[] }).data.map(({ maker }) => maker.id)),
    ]
    for (let round = 0; round < 3; round++) {
      for (const cookies of [{}, { cookie: 'session=1' }] as Record<string, string>[]) {
        for (const maker of [2, 3, 4]) {
          const own = await get('/kept/mine?size=100', { authorization: `Bearer ${maker}`, ...cookies })
          expect(own.status).toBe(200)
          expect(makersIn(own.text)).toEqual([maker])
          expect(own.cache).toBe('MISS')
        }
        expect((await get('/kept/mine?size=100', cookies)).status).toBe(401)
      }
    }
  })

  test('what everybody may see is served by it, and what a client says who it is for is not', async () => {
    const get = await open({ cache: { ttl: '1h' } })
    const first = await get('/kept/items?size=5')
    expect(first.cache).toBe('MISS')
    const second = await get('/kept/items?size=5')
    expect(second.cache).toBe('HIT')
    expect(second.text).toBe(first.text)
    for (const own of [{ authorization: 'Bearer 2' }, { cookie: 'a=b' }] as Record<string, string>[]) {
      for (let time = 0; time < 2; time++) {
        const answer = await get('/kept/items?size=5', own)
        expect(answer.cache).toBe('MISS')
        expect(answer.headers.get('cache-control')).toBe('private, no-cache')
      }
    }
    expect((await get('/kept/items?size=5')).cache).toBe('HIT')
  })

  test('each encoding is kept by itself', async () => {
    const get = await open({ cache: { ttl: '1h', visibility: 'public' }, scoped: false })
    const plain = await get('/kept/items?size=20')
    for (const encoding of ['gzip', 'br']) {
      const headers = { 'accept-encoding': encoding, cookie: 'theme=dark' }
      expect((await get('/kept/items?size=20', headers)).cache).toBe('MISS')
      const again = await get('/kept/items?size=20', headers)
      expect([again.cache, again.headers.get('content-encoding')]).toEqual(['HIT', encoding])
      // fetch takes the encoding off.
      expect(again.text).toBe(plain.text)
    }
    expect((await get('/kept/items?size=20')).cache).toBe('HIT')
  })

  test('a client that has an answer is told by it that nothing changed', async () => {
    const get = await open({ cache: { ttl: '1h' } })
    const first = await get('/kept/items?size=6')
    const etag = first.headers.get('etag')!
    const again = await get('/kept/items?size=6', { 'if-none-match': etag })
    expect([again.status, again.text, again.cache]).toEqual([304, '', 'HIT'])
  })

  test('a write is seen when the time of shared caches is over, and at once where they have to ask', async () => {
    const asked = await open({ cache: { ttl: '1h', shared: false } })
    const kept = await open({ cache: { ttl: '1h', shared: '1s' } })
    const nameOf = ({ text }: Fetched): string => (JSON.parse(text) as { name: string }).name
    const before = await kept('/kept/items/7')
    await asked('/kept/items/7')
    await app.db.items.filter({ id: 7 }).update({ name: 'Written' })
    expect(nameOf(await asked('/kept/items/7'))).toBe('Written')
    await expect.poll(async () => nameOf(await kept('/kept/items/7'))).toBe('Written')
    // What has not changed is asked for and confirmed, and then served again.
    await expect.poll(async () => (await kept('/kept/items/7')).cache).toBe('REVALIDATED')
    await app.db.items.filter({ id: 7 }).update({ name: nameOf(before) })
  })

  test('what is asked for at length has headers that it takes', async () => {
    const get = await open({ cache: { ttl: '1h' }, surrogateKeys: 'both' })
    for (const length of [10, 200, 400, 600, 800, 1200, 2000]) {
      // Every number is a tag, and every link says all of the query.
      const ids = Array.from({ length: Math.min(50, 10 + length / 10) }, (_, n) => (n < 10 ? n : 1_000_000 + n))
      const list = `/kept/items?size=2&filter[id][in]=${ids.join()}&filter[maker.name][notIn]=${'x'.repeat(length)}`
      const first = await get(list)
      expect([length, first.status]).toEqual([length, 200])
      const page = JSON.parse(first.text) as { page: { next: string } }
      const further = await get(`${list}&after=${page.page.next}`)
      expect([length, further.status], further.text).toEqual([length, 200])
    }
  })

  test('refusals and mistakes are kept by nobody', async () => {
    const get = await open({ cache: { ttl: '1h' } })
    for (const [path, status] of [
      ['/kept/items?after=rubbish', 400],
      ['/kept/items/9999', 404],
      ['/kept/mine', 401],
    ] as const) {
      for (let time = 0; time < 2; time++) {
        const refused = await get(path)
        expect([refused.status, refused.cache]).toEqual([status, 'MISS'])
      }
    }
  })
})
