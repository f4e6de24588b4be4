import type { FastifyInstance } from 'fastify'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { decoded, forgetAll, loaded, openCachedShop } from './cached-shop.ts'
import { counted, engines, type Shop } from './shop.ts'

type Sent = Record<string, string>

describe.each(engines)('cached resources on %s', (engine) => {
  let app: Shop
  let server: FastifyInstance
  let close: () => Promise<void>

  beforeAll(async () => void ({ app, server, close } = await openCachedShop(engine)))
  beforeEach(() => forgetAll(app))
  afterAll(() => close())

  const get = (url: string, headers: Sent = {}) => server.inject({ url, headers })

  test('answer as the database does, cold, warm and by the URL alone, whatever is asked', async () => {
    const some = (values: readonly string[]) => fc.constantFrom(...values)
    const lists = fc
      .subarray([
        'filter[kind]=toy',
        'filter[rating][gte]=2',
        'filter[maker.name]=Maker%202',
        'filter[reviews.body]=Review%201%20of%207',
        'size=5',
        'total=exact',
        'page=2',
        'fields=id,reviews.body',
        'fields=name,maker.name',
        'order=-rating,name',
        'order=maker.name',
        'nothing=1',
        'after=rubbish',
      ])
      .chain((parts) => fc.shuffledSubarray(parts, { minLength: parts.length }))
      .map((parts) => `/items?${parts.join('&')}`)
    const others = some([
      '/items/7',
      '/items/7?fields=name',
      '/items/10',
      '/items/9999',
      '/items/x',
      '/makers/Maker%203',
    ])
    const more = some(['/makers?size=3&page=2', '/items/7/reviews', '/items/7/reviews/7/2', '/items/0/reviews'])
    const encodings = some(['', 'br', 'gzip', 'zstd', 'identity;q=0.5, gzip;q=0.1'])
    await fc.assert(
      fc.asyncProperty(fc.oneof({ arbitrary: lists, weight: 4 }, others, more), encodings, async (url, encoding) => {
        const headers: Sent = encoding ? { 'accept-encoding': encoding } : {}
        const live = await get(`/live${url}`)
        for (let time = 0; time < 3; time++) {
          const kept = await get(`/kept${url}`, headers)
          expect(kept.statusCode).toBe(live.statusCode)
          if (live.statusCode !== 200) {
            expect(kept.json().code).toBe(live.json().code)
            expect(kept.headers['cache-control']).toBe('no-store')
            continue
          }
          expect(decoded(kept).toString()).toBe(live.body)
          expect(kept.headers['link']).toBe(live.headers['link'])
          expect(kept.headers['content-type']).toBe(live.headers['content-type'])
          const etag = kept.headers['etag'] as string
          const coding = kept.headers['content-encoding']
          const suffix = coding === undefined ? '' : `-${coding}`
          expect(etag.replace(`${suffix}"`, '"')).toBe(live.headers['etag'])
          const again = await get(`/kept${url}`, { ...headers, 'if-none-match': `"other", W/${etag}` })
          expect([again.statusCode, again.body, again.headers['etag']]).toEqual([304, '', etag])
        }
      }),
      { numRuns: 120 },
    )
  })

  test('walk the pages that the database has', async () => {
    const walk = async (start: string): Promise<string[]> => {
      const bodies: string[] = []
      for (let url: string | undefined = start; url !== undefined;) {
        const page = await get(url)
        expect(page.statusCode, page.body).toBe(200)
        bodies.push(page.body)
        const next: string | null = page.json().page.next
        url = next === null ? undefined : `${start}&after=${next}`
      }
      return bodies
    }
    const query = '/items?size=9&order=maker.name&filter[kind]=toy&fields=id'
    const pages = await walk(`/live${query}`)
    expect(pages.length).toBeGreaterThan(5)
    expect(await walk(`/kept${query}`)).toEqual(pages)
    const { result, statements } = await counted(() => walk(`/kept${query}`))
    expect(result).toEqual(pages)
    expect(statements).toEqual([])
  })

  test('that are warm ask the database nothing, and that are cold ask it once however many wait', async () => {
    const cold = await counted(() => Promise.all(Array.from({ length: 30 }, () => get('/kept/items?size=30'))))
    expect(new Set(cold.result.map((answer) => answer.body)).size).toBe(1)
    expect(cold.statements).toHaveLength(2)
    const warm = await counted(() => get('/kept/items?size=30', { 'accept-encoding': 'br' }))
    expect(warm.statements).toEqual([])
    expect(decoded(warm.result).toString()).toBe(cold.result[0]!.body)
  })

  test('in other words for the same are kept once, each with links in its own words', async () => {
    const [one, other] = ['/kept/items?size=5&order=name', '/kept/items?order=name&size=5']
    const { result, keys } = await loaded(async () => [await get(one), await get(other), await get(one)])
    expect(keys).toHaveLength(1)
    expect(result.map(({ headers }) => /<\?(\w+)/.exec(headers['link'] as string)?.[1])).toEqual([
      'size',
      'order',
      'size',
    ])
  })

  test('show what was written as soon as the write is acknowledged', async () => {
    const urls = ['/items?filter[kind]=tool&size=100', '/items/7', '/items/7?fields=maker.name', '/items/7/reviews']
    const write: (() => Promise<unknown>)[] = [
      () => app.db.items.filter({ id: 7 }).update({ name: 'Renamed' }),
      () => app.db.makers.filter({ id: 1 }).update({ name: 'Maker One' }),
      () => app.db.reviews.create({ itemId: 7, position: 4, body: 'Late' }),
      () => app.db.reviews.filter({ itemId: 7, position: 4 }).delete(),
      () => app.db.transaction((tx) => tx.items.filter({ id: 7 }).update({ name: 'Item "7" é' })),
      () => app.db.makers.filter({ id: 1 }).update({ name: 'Maker 1' }),
    ]
    for (const change of write) {
      for (const url of urls) await get(`/kept${url}`)
      await change()
      for (const url of urls) {
        for (const encoding of ['br', 'identity']) {
          const kept = await get(`/kept${url}`, { 'accept-encoding': encoding })
          expect(decoded(kept).toString()).toBe((await get(`/live${url}`)).body)
        }
      }
    }
  })

  test('remember that a row is missing, until it is created', async () => {
    const { id, ...row } = (await app.db.items.get(7)) as { id: number; name: string }
    expect(id).toBe(7)
    for (let time = 0; time < 2; time++) {
      const { result, statements } = await counted(() => get('/kept/items/777?fields=name'))
      expect(result.json()).toMatchObject({ status: 404, code: 'PLIMSOLL_NOT_FOUND' })
      expect(result.headers['cache-control']).toBe('no-store')
      expect(statements).toHaveLength(time === 0 ? 1 : 0)
    }
    await app.db.items.create({ ...row, id: 777 } as never)
    expect((await get('/kept/items/777?fields=name')).statusCode).toBe(200)
    await app.db.items.filter({ id: 777 }).delete()
    expect((await get('/kept/items/777?fields=name')).statusCode).toBe(404)
  })

  test('with a scope answer each client with its own rows, and keep them for it', async () => {
    const idsOf = (makers: { maker: { id: number } }[]) => [...new Set(makers.map(({ maker }) => maker.id))]
    for (let time = 0; time < 3; time++) {
      for (const maker of [2, 3]) {
        const headers = { authorization: `Bearer ${maker}` }
        const { result, statements } = await counted(() => get('/kept/mine?size=100', headers))
        expect(idsOf(result.json().data)).toEqual([maker])
        expect(result.headers['cache-control']).toBe('private, no-cache')
        expect(statements).toHaveLength(time === 0 ? 1 : 0)
        const [{ id }] = result.json().data
        expect((await get(`/kept/mine/${id}`, headers)).statusCode).toBe(200)
        expect((await get(`/kept/mine/${id}`, { authorization: `Bearer ${5 - maker}` })).statusCode).toBe(404)
      }
      expect((await get('/kept/mine?size=100')).statusCode).toBe(401)
    }
  })

  test('refuse a wrong cursor without asking the cache', async () => {
    const before = app.cache.statistics()
    for (const url of ['/kept/items?after=rubbish', '/kept/items?before=', '/kept/items?after=AAAA&order=name']) {
      const refused = await get(url)
      expect(refused.json()).toMatchObject({ status: 400, code: 'PLIMSOLL_CURSOR_INVALID' })
      expect(refused.headers['cache-control']).toBe('no-store')
    }
    expect(app.cache.statistics()).toEqual(before)
  })

  test('are not kept when they fail', async () => {
    await app.db.drizzle.execute('alter table makers rename to gone')
    expect((await get('/kept/makers?size=5')).statusCode).toBe(500)
    await app.db.drizzle.execute('alter table gone rename to makers')
    expect((await get('/kept/makers?size=5')).statusCode).toBe(200)
  })

  test('have the length and the headers of GET for HEAD', async () => {
    for (const encoding of ['identity', 'br']) {
      const headers = { 'accept-encoding': encoding }
      const full = await get('/kept/items?size=20', headers)
      const head = await server.inject({ method: 'HEAD', url: '/kept/items?size=20', headers })
      expect(head.body).toBe('')
      expect({ ...head.headers, date: '' }).toEqual({ ...full.headers, date: '' })
    }
  })
})
