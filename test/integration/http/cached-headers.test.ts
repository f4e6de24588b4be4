import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { decoded, forgetAll, loaded, makerOf, openCachedShop, serve } from './cached-shop.ts'
import { engines, type Shop } from './shop.ts'

type Sent = Record<string, string>

describe.each(engines)('the headers of cached resources on %s', (engine) => {
  let app: Shop
  let server: FastifyInstance
  let close: () => Promise<void>

  beforeAll(async () => void ({ app, server, close } = await openCachedShop(engine)))
  beforeEach(() => forgetAll(app))
  afterAll(() => close())

  const get = (url: string, headers: Sent = {}) => server.inject({ url, headers })

  describe('are compressed', () => {
    test('once for everybody, and only anew when the bytes have changed', async () => {
      const headers = { 'accept-encoding': 'gzip, deflate, br, zstd' }
      const many = await loaded(() =>
        Promise.all(Array.from({ length: 20 }, () => get('/kept/items?size=21', headers))),
      )
      expect(many.keys.map((key) => key[0]).toSorted()).toEqual(['r', 'z'])
      expect(many.result[0]!.headers['content-encoding']).toBe('br')
      // A write that leaves the answer as it is.
      await app.db.items.filter({ id: 119 }).update({ secret: 'another' })
      expect((await loaded(() => get('/kept/items?size=21', headers))).keys.map((key) => key[0])).toEqual(['r'])
      await app.db.items.filter({ id: 119 }).update({ rating: 1 })
      expect((await loaded(() => get('/kept/items?size=21', headers))).keys.map((key) => key[0])).toEqual(['r', 'z'])
      await app.db.items.filter({ id: 119 }).update({ rating: 4 })
    })

    test.each([
      [undefined, undefined],
      ['', undefined],
      ['identity', undefined],
      ['gzip', 'gzip'],
      ['br;q=0.2, gzip;q=0.9', 'gzip'],
      ['BR', 'br'],
      ['*', 'br'],
      ['*;q=0.1, br;q=0', 'zstd'],
      ['deflate', undefined],
      ['br;q=nonsense', undefined],
      ['identity;q=0, gzip', 'gzip'],
    ])('as Accept-Encoding: %s has it', async (accepted, encoding) => {
      const headers: Sent = accepted === undefined ? {} : { 'accept-encoding': accepted }
      const answer = await get('/kept/items?size=22', headers)
      expect(answer.headers['content-encoding']).toBe(encoding)
      expect(answer.headers['vary']).toMatch(/^Accept-Encoding/)
      expect(JSON.parse(decoded(answer).toString()).data).toHaveLength(22)
    })

    test('unless they are small, and the client takes them as they are', async () => {
      expect((await get('/kept/items/7', { 'accept-encoding': 'br' })).headers['content-encoding']).toBeUndefined()
      const refused = await get('/kept/items/7', { 'accept-encoding': 'br, identity;q=0' })
      expect(refused.headers['content-encoding']).toBe('br')
      expect(JSON.parse(decoded(refused).toString())).toMatchObject({ id: 7 })
      expect((await get('/kept/items/7', { 'accept-encoding': '*;q=0' })).json()).toMatchObject({ status: 406 })
    })

    test('under an entity tag of their own', async () => {
      const [plain, br] = [
        await get('/kept/items?size=23'),
        await get('/kept/items?size=23', { 'accept-encoding': 'br' }),
      ]
      const etag = br.headers['etag'] as string
      expect(etag).not.toBe(plain.headers['etag'])
      const asked = (accepted: string) =>
        get('/kept/items?size=23', { 'accept-encoding': accepted, 'if-none-match': etag })
      expect((await asked('br')).statusCode).toBe(304)
      expect((await asked('gzip')).statusCode).toBe(200)
      expect((await get('/kept/items?size=23', { 'if-none-match': '*' })).statusCode).toBe(304)
    })
  })

  describe('say who may keep them', () => {
    test('everybody, unless the request says who asks', async () => {
      const url = '/kept/items?size=4'
      for (let time = 0; time < 2; time++) {
        const open = await get(url)
        expect(open.headers['cache-control']).toBe('public, max-age=0, must-revalidate, s-maxage=3600')
        expect(open.headers['vary']).toBe('Accept-Encoding, Authorization, Cookie')
        for (const own of [{ authorization: 'Bearer 2' }, { cookie: 'theme=dark' }] as Sent[]) {
          const answer = await get(url, own)
          expect(answer.headers['cache-control']).toBe('private, no-cache')
          expect(answer.body).toBe(open.body)
          const unchanged = await get(url, { ...own, 'if-none-match': open.headers['etag'] as string })
          expect(unchanged.statusCode).toBe(304)
          expect(unchanged.headers['cache-control']).toBe('private, no-cache')
          expect(unchanged.headers['vary']).toBe(open.headers['vary'])
        }
      }
    })

    test.each([
      [{ browser: '30s', shared: '2m' }, 'public, max-age=30, must-revalidate, s-maxage=120'],
      [{ shared: false }, 'public, max-age=0, must-revalidate, s-maxage=0'],
      [{ staleWhileRevalidate: '2m' }, 'public, max-age=0, stale-while-revalidate=120, s-maxage=60'],
      [
        { visibility: 'private', browser: '5s', staleWhileRevalidate: '1m' },
        'private, max-age=5, stale-while-revalidate=60',
      ],
      [{ visibility: 'private' }, 'private, no-cache'],
      [{ visibility: 'private', browser: '1m' }, 'private, max-age=60, must-revalidate'],
    ] as const)('by their options %j', async (cache, header) => {
      const own = await serve(app, { cache: { ttl: '1m', ...cache } })
      expect((await own.inject('/kept/items?size=4')).headers['cache-control']).toBe(header)
      await own.close()
    })

    test('everybody always, where who asks changes nothing', async () => {
      const own = await serve(app, {
        cache: { ttl: '1m', visibility: 'public', vary: ['X-Region', 'accept-encoding'] },
        scoped: false,
      })
      for (let time = 0; time < 2; time++) {
        const { headers } = await own.inject({ url: '/kept/items?size=4', headers: { cookie: 'theme=dark' } })
        expect(headers['cache-control']).toBe('public, max-age=0, must-revalidate, s-maxage=60')
        expect(headers['vary']).toBe('Accept-Encoding, X-Region')
      }
      await own.close()
    })
  })

  describe('leave hooks their say', () => {
    test('which refuse, add headers and know better, also when the answer is warm', async () => {
      const own = await serve(app, {
        prepare: (fastify) =>
          fastify.addHook('onRequest', async (request, reply) => {
            reply.headers({ 'x-hook': 'seen', vary: 'Origin, accept-encoding' })
            if (request.headers['x-known'] !== undefined) reply.header('cache-control', 'no-store')
            if (request.headers['x-refuse'] !== undefined) throw Object.assign(new Error('No.'), { statusCode: 403 })
          }),
      })
      for (let time = 0; time < 3; time++) {
        const answer = await own.inject('/kept/items?size=4')
        expect(answer.headers).toMatchObject({
          'x-hook': 'seen',
          vary: 'Origin, accept-encoding, Authorization, Cookie',
        })
        const known = await own.inject({ url: '/kept/items?size=4', headers: { 'x-known': '1' } })
        expect(known.headers['cache-control']).toBe('no-store')
        const refused = await own.inject({ url: '/kept/items?size=4', headers: { 'x-refuse': '1' } })
        expect(refused.statusCode).toBe(403)
      }
      await own.close()
    })

    test('which give an answer a cookie: it is the client’s alone then', async () => {
      const own = await serve(app, {
        prepare: (fastify) =>
          fastify.addHook('onSend', async (_, reply, payload) => {
            reply.header('set-cookie', 'session=secret')
            return payload
          }),
      })
      for (let time = 0; time < 3; time++) {
        expect((await own.inject('/kept/items?size=4')).headers['cache-control']).toBe('private, no-cache')
      }
      await own.close()
    })

    test('which put another value into the path', async () => {
      const own = await serve(app, {
        prepare: (fastify) =>
          fastify.addHook('preHandler', async (request) => {
            const params = request.params as { id?: string }
            if (params.id === 'me') params.id = String(makerOf(request))
          }),
      })
      for (let time = 0; time < 3; time++) {
        for (const id of [2, 3]) {
          const answer = await own.inject({ url: '/kept/items/me', headers: { authorization: `Bearer ${id}` } })
          expect(answer.json()).toMatchObject({ id })
        }
      }
      await own.close()
    })
  })

  test('name what they were made of for a CDN, when told to, and not those that are the client’s own', async () => {
    const own = await serve(app, { surrogateKeys: 'both' })
    for (let time = 0; time < 2; time++) {
      const { headers } = await own.inject('/kept/items/7?fields=name')
      expect((headers['surrogate-key'] as string).split(' ')).toContain('items:7')
      expect((headers['cache-tag'] as string).split(',')).toContain('items:7')
      const mine = await own.inject({ url: '/kept/items/7?fields=name', headers: { cookie: 'a=b' } })
      expect(mine.headers).not.toHaveProperty('surrogate-key')
    }
    expect((await get('/kept/items/7?fields=name')).headers).not.toHaveProperty('surrogate-key')
    await own.close()
  })
})
