import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { counted, engines, listed, openShop, type Shop } from './shop.ts'

interface ListBody {
  readonly data: Record<string, unknown>[]
  readonly page: { size: number; next: string | number | null; previous: string | number | null; total?: number }
}

describe.each(engines)('resources on %s', (engine) => {
  let app: Shop
  let close: () => Promise<void>
  beforeAll(async () => void ({ app, close } = await openShop(engine)))
  afterAll(() => close())

  async function list(url: string): Promise<ListBody & { link: string | undefined; statements: string[] }> {
    const { result, statements } = await counted(() => app.fastify.inject(url))
    expect(result.statusCode, result.body).toBe(200)
    return { ...result.json<ListBody>(), link: result.headers['link'] as string | undefined, statements }
  }

  test('a list answers rows and where the page lies, with one statement and one for each to-many relation', async () => {
    const { data, page, statements } = await list('/items?size=3')
    expect(data).toHaveLength(3)
    expect(data[0]).toEqual({
      id: 119,
      name: 'Item "119" é',
      kind: 'toy',
      rating: 4,
      price: '178.50',
      addedAt: '2026-01-01T00:00:00.000Z',
      meta: { n: 119 },
      maker: { name: 'Maker 1' },
      reseller: null,
      reviews: [],
    })
    expect(page).toEqual({ size: 3, next: expect.any(String), previous: null })
    expect(statements).toHaveLength(2)
    expect((await list('/items?size=100')).statements).toHaveLength(2)
    expect((await list('/items?size=100&fields=id,maker.name')).statements).toHaveLength(1)
  })

  test('fields load their columns and no others', async () => {
    const { data, statements } = await list('/items?size=1&fields=reviews.body,id&filter[id]=7')
    expect(data).toEqual([
      { id: 7, reviews: [{ body: 'Review 1 of 7' }, { body: 'Review 2 of 7' }, { body: 'Review 3 of 7' }] },
    ])
    expect(statements.join()).not.toMatch(/secret|price|meta|reseller/)
  })

  test.each<[string, (row: Record<string, unknown>) => boolean, number]>([
    ['filter[kind]=tool', (row) => row['kind'] === 'tool', 36],
    ['filter[kind][ne]=tool', (row) => row['kind'] === 'toy', 72],
    ['filter[id][in]=1,2,10', (row) => [1, 2].includes(row['id'] as number), 2],
    ['filter[id][gt]=100&filter[id][lte]=105', (row) => Number(row['id']) > 100, 5],
    ['filter[rating][isNull]=true', (row) => row['rating'] === null, 12],
    ['filter[name][like]=%25%22119%22%25', (row) => row['id'] === 119, 1],
    ['filter[name][ilike]=ITEM%25', () => true, listed],
    ['filter[maker.name]=Maker%202', (row) => (row['maker'] as { name: string }).name === 'Maker 2', 16],
    ['filter[reviews.body]=Review%201%20of%207', (row) => row['id'] === 7, 1],
    ['filter[addedAt][lt]=2026-01-01', () => false, 0],
    ['filter[price][gte]=178.5', (row) => row['id'] === 119, 1],
    ['filter[meta][isNull]=true', () => false, 0],
    ["filter[name]='; drop table items; --", () => false, 0],
  ])('?%s selects its rows', async (query, holds, count) => {
    const { data, page } = await list(`/items?size=100&total=exact&${encodeURI(decodeURI(query))}`)
    expect(page.total).toBe(count)
    expect(data.every(holds)).toBe(true)
    expect(data).toHaveLength(Math.min(100, count))
  })

  test.each([
    '/items?size=7',
    '/items?size=7&order=rating,-name',
    '/items?size=10&order=-rating',
    '/items?size=10&order=reseller.name,-price',
    '/items?size=9&order=maker.name&filter[kind]=toy&fields=id',
    '/items?size=9&page=1&order=-maker.name',
    '/items/7/reviews?size=2',
  ])('following the links of %s passes every row once, and the same ones back', async (start) => {
    const forwards: unknown[] = []
    const pages: string[] = []
    let url: string | undefined = start
    while (url) {
      pages.push(url)
      const answer = await list(url)
      forwards.push(...answer.data.map((row) => JSON.stringify(row)))
      const next = linked(answer.link, 'next', url)
      expect(next === undefined).toBe(answer.page.next === null)
      url = next
    }
    expect(new Set(forwards).size).toBe(forwards.length)
    const total = (await list(`${start}&total=exact`)).page.total
    expect(forwards).toHaveLength(total!)

    const backwards: unknown[] = []
    url = pages.at(-1)
    while (url !== undefined) {
      const answer = await list(url)
      backwards.unshift(...answer.data.map((row) => JSON.stringify(row)))
      url = linked(answer.link, 'prev', url)
    }
    expect(backwards).toEqual(forwards)
  })

  test('links lead to the first page, and to the last one of numbered pages', async () => {
    const at = '/items?size=10&page=2&total=exact&order=name'
    const { link, page } = await list(at)
    expect(page).toEqual({ size: 10, next: 3, previous: 1, total: listed })
    expect((await list(linked(link, 'last', at)!)).page).toMatchObject({ next: null })
    expect((await list(linked(link, 'first', at)!)).page).toMatchObject({ previous: null })
    const next = linked((await list('/items?size=10')).link, 'next', '/items?size=10')!
    const second = await list(next)
    expect((await list(linked(second.link, 'first', next)!)).page.previous).toBeNull()
  })

  test('totals are counted in one more statement, or estimated', async () => {
    const exact = await list('/items?size=1&fields=id&total=exact')
    expect(exact.page.total).toBe(listed)
    expect(exact.statements).toHaveLength(2)
    expect((await list('/items?size=1&total=estimated')).page.total).toBeGreaterThan(0)
  })

  test('a cursor of another list, order or filter is refused, and so is one that was changed', async () => {
    const { page } = await list('/items?size=3')
    const next = String(page.next)
    const changed = `${next.slice(0, -2)}${next.at(-2) === 'A' ? 'B' : 'A'}${next.at(-1)}`
    for (const url of [
      `/items?after=${next}&order=name`,
      `/items?after=${next}&filter[kind]=toy`,
      `/mine?after=${next}`,
      `/items?after=${changed}`,
    ]) {
      const { result, statements } = await counted(() => app.fastify.inject({ url, headers: { 'x-maker': '2' } }))
      expect(result.statusCode).toBe(400)
      expect(result.json().code).toBe('PLIMSOLL_CURSOR_INVALID')
      expect(statements).toEqual([])
    }
  })

  test('an entity tag stands for the bytes: 304 while they are the same, for GET and HEAD', async () => {
    const first = await app.fastify.inject('/items?size=2')
    const etag = first.headers['etag'] as string
    expect(etag).toMatch(/^"/)
    for (const method of ['GET', 'HEAD'] as const) {
      const again = await app.fastify.inject({
        method,
        url: '/items?size=2',
        headers: { 'if-none-match': `"x", W/${etag}` },
      })
      expect(again.statusCode).toBe(304)
      expect(again.body).toBe('')
      expect(again.headers['etag']).toBe(etag)
      expect(again.headers['cache-control']).toBe(first.headers['cache-control'])
      expect(again.headers['link']).toBe(first.headers['link'])
    }
    const head = await app.fastify.inject({ method: 'HEAD', url: '/items?size=2' })
    expect(head.headers['content-length']).toBe(String(first.rawPayload.length))
    expect(head.body).toBe('')
    await app.db.items.filter({ id: 118 }).update({ price: '1.00' })
    const changed = await app.fastify.inject({ url: '/items?size=2', headers: { 'if-none-match': etag } })
    expect(changed.statusCode).toBe(200)
    expect(changed.headers['etag']).not.toBe(etag)
    await app.db.items.filter({ id: 118 }).update({ price: '177.00' })
  })

  test('one row is answered by its key, with the fields that are asked for', async () => {
    const { result, statements } = await counted(() => app.fastify.inject('/items/7?fields=id,maker.name'))
    expect(result.json()).toEqual({ id: 7, maker: { name: 'Maker 1' } })
    expect(statements).toHaveLength(1)
    expect((await app.fastify.inject('/items/7')).headers['etag']).toMatch(/^"/)
    expect((await app.fastify.inject('/items/7/reviews/7/2')).json()).toEqual({ position: 2, body: 'Review 2 of 7' })
    expect((await app.fastify.inject('/makers/Maker%203')).json()).toEqual({ id: 3, name: 'Maker 3' })
  })

  test.each(['/items/121', '/items/10', '/makers/Nobody', '/items/7/reviews/7/9', '/items/8/reviews/7/2'])(
    '%s is not found',
    async (url) => {
      const response = await app.fastify.inject(url)
      expect(response.statusCode).toBe(404)
      expect(response.json()).toMatchObject({ code: 'PLIMSOLL_NOT_FOUND', status: 404 })
    },
  )

  test('the path selects the rows of its parent', async () => {
    expect((await list('/items/5/reviews')).data.map((row) => row['body'])).toContain('Review 1 of 5')
    expect((await list('/items/61/reviews')).data).toEqual([])
    const { data } = await list('/makers/Maker%202/items?size=100')
    expect(data).toHaveLength(16)
    expect((await app.fastify.inject('/items/x/reviews')).statusCode).toBe(400)
  })

  test('a parameter in the prefix of a plugin selects like one in the path, for list and row', async () => {
    const { data, page } = await list('/from/2/items?size=100&total=exact')
    expect(page.total).toBe(16)
    expect(new Set(data.map((row) => (row['maker'] as { name: string }).name))).toEqual(new Set(['Maker 2']))
    const [{ id }] = data as [{ id: number }]
    expect((await app.fastify.inject(`/from/2/items/${id}`)).json()).toMatchObject({ id })
    expect((await app.fastify.inject(`/from/3/items/${id}`)).statusCode).toBe(404)
    expect((await app.fastify.inject('/from/x/items')).json()).toMatchObject({ status: 400, parameter: 'makerId' })
    const reviews = await list('/from/2/reviews?size=100&total=exact')
    expect(reviews.page.total).toBe((await app.db.reviews.filter({ item: { makerId: 2 } })).length)
  })

  test.each(['/items/', '/items//reviews', '/items/7/reviews/', '/from//items'])(
    '%s, which leaves a parameter empty, is nothing that is there',
    async (url) => {
      const { result, statements } = await counted(() => app.fastify.inject(url))
      expect(result.json()).toMatchObject({ status: 404 })
      expect(statements).toEqual([])
    },
  )

  test('a key of text is found as long as a filter may be, and no longer', async () => {
    expect((await app.fastify.inject(`/makers/${'x'.repeat(2000)}`)).statusCode).toBe(404)
    const refused = await app.fastify.inject(`/makers/${'x'.repeat(2001)}`)
    expect(refused.json()).toMatchObject({ status: 414, title: 'URI Too Long' })
    expect(refused.body.length).toBeLessThan(300)
  })

  test('a refused cursor names its parameter', async () => {
    for (const parameter of ['after', 'before']) {
      expect((await app.fastify.inject(`/items?${parameter}=x`)).json()).toMatchObject({
        code: 'PLIMSOLL_CURSOR_INVALID',
        parameter,
      })
    }
  })

  test('a link header stays short, whatever is asked', async () => {
    const long = `/items?size=1&filter[name][ne]=${'x'.repeat(250)}&filter[kind][ne]=${'y'.repeat(250)}&order=name`
    const first = await list(long)
    expect(first.page.next).not.toBeNull()
    expect(first.link?.length).toBeLessThanOrEqual(1024)
    const second = await list(linked(first.link, 'next', long)!)
    expect(second.link).not.toContain('rel="prev"')
  })

  test('numbered pages end at the depth that is allowed', async () => {
    expect((await list('/makers?size=2&page=2')).data.map((row) => row['id'])).toEqual([3, 4])
    expect((await app.fastify.inject('/makers?size=10&page=11')).json()).toMatchObject({ status: 400, maximum: 10 })
  })

  test('a scope holds for list and row, and makes answers private', async () => {
    const headers = { 'x-maker': '2' }
    const mine = await app.fastify.inject({ url: '/mine?size=100', headers })
    expect(mine.json<ListBody>().data).toHaveLength(16)
    expect(mine.headers['cache-control']).toBe('private, no-cache')
    expect((await app.fastify.inject({ url: '/mine/1', headers })).statusCode).toBe(200)
    expect((await app.fastify.inject({ url: '/mine/2', headers })).statusCode).toBe(404)
  })
})

/** Where a link of the answer to `from` leads, resolved as clients do. */
function linked(header: string | undefined, relation: string, from: string): string | undefined {
  const reference = new RegExp(`<([^>]*)>; rel="${relation}"`).exec(header ?? '')?.[1]
  if (reference === undefined) return undefined
  const { pathname, search } = new URL(reference, `http://shop${from}`)
  return pathname + search
}
