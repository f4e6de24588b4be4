import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openCdn, type Cdn } from '../../../src/cdn/index.ts'
import { hasVarnish, startVarnishEdge, type VarnishServer } from '../../servers/varnish.ts'
import { startOrigin, type Origin } from './origin.ts'

interface Fetched {
  readonly status: number
  readonly text: string
  readonly cache: string | null
  readonly headers: Headers
}

describe.runIf(hasVarnish())('Varnish, configured as the documentation says,', () => {
  let origin: Origin
  let edges: VarnishServer[]
  const pages = ['/items/7', '/items/8', '/items', '/makers/1']
  const tags = ['items:7 items*', 'items:8 items*', 'items makers', 'makers:1']

  beforeAll(async () => {
    origin = await startOrigin()
    edges = await Promise.all([startVarnishEdge(origin.url), startVarnishEdge(origin.url)])
  })
  afterAll(async () => {
    await Promise.all(edges.map((edge) => edge.stop()))
    await origin[Symbol.asyncDispose]()
  })

  async function get(url: string): Promise<Fetched> {
    const { status, headers, ...answer } = await fetch(url).then(async (found) => ({
      status: found.status,
      headers: found.headers,
      text: await found.text(),
    }))
    return { status, headers, cache: headers.get('x-cache'), ...answer }
  }

  /** A CDN of both edges, which have all pages. */
  async function open(more = ''): Promise<Cdn> {
    const list = edges.map(({ url }) => url).join()
    const cdn = openCdn({
      url: `http://cdn.example.com?provider=varnish&edges=${list}${more}`,
      secrets: { CDN_PURGE_KEY: 'the secret of CDN_PURGE_KEY' },
    })
    onTestFinished(() => cdn.close())
    for (const [n, path] of pages.entries()) {
      origin.files.set(path, { body: `first ${path}`, headers: { 'surrogate-key': tags[n]! } })
    }
    for (const edge of edges) await fetch(edge.url, { method: 'BAN', headers: everything })
    for (const edge of edges) for (const path of [...pages, ...pages]) await get(edge.url + path)
    expect(await cached()).toEqual([pages, pages])
    return cdn
  }

  const everything = { 'x-cdn-purge': 'the secret of CDN_PURGE_KEY', 'x-tag-pattern': '.' }

  /** The pages that each edge has. */
  async function cached(): Promise<string[][]> {
    return Promise.all(
      edges.map(async ({ url }) => {
        const found = await Promise.all(
          pages.map(async (path) => ((await get(url + path)).cache === 'HIT' ? path : '')),
        )
        return found.filter((path) => path !== '')
      }),
    )
  }

  test.each(['', '&tags=ban'])('drops what names a tag, at every edge, and nothing else (%s)', async (more) => {
    const cdn = await open(more)
    await cdn.purgeTags(['items:7'])
    expect(await cached()).toEqual([pages.slice(1), pages.slice(1)])
    await cdn.purgeTags(['makers', 'makers:1'])
    expect(await cached()).toEqual([pages.slice(0, 2), pages.slice(0, 2)])
    await cdn.purgeTags(['items*'])
    expect(await cached()).toEqual([
      ['/items', '/makers/1'],
      ['/items', '/makers/1'],
    ])
    // Names of which a tag is a part are other names.
    await cdn.purgeTags(['item', 'maker', 'tems', '.*', 'items.'])
    expect(await cached()).toEqual([pages, pages])
  })

  test('takes more tags than fit one request', async () => {
    const cdn = await open()
    await cdn.purgeTags([...Array.from({ length: 1000 }, (_, n) => `posts.author_id=${n}`), 'items:8'])
    expect(await cached()).toEqual([
      ['/items/7', '/items', '/makers/1'],
      ['/items/7', '/items', '/makers/1'],
    ])
  })

  test('serves what was purged softly once more while it fetches it', async () => {
    const cdn = await open('&soft=true')
    origin.files.set('/items/7', { body: 'second', headers: { 'surrogate-key': tags[0]! } })
    await cdn.purgeTags(['items:7'])
    const [{ url }] = edges as [VarnishServer]
    expect(await get(`${url}/items/7`)).toMatchObject({ text: 'first /items/7' })
    await expect.poll(async () => (await get(`${url}/items/7`)).text).toBe('second')
  })

  test('drops an address, under the name of the CDN', async () => {
    const cdn = await open()
    const ask = async (): Promise<unknown[]> => {
      const { request } = await import('node:http')
      return Promise.all(
        edges.map(
          (edge) =>
            new Promise((resolve, reject) => {
              const { port } = new URL(edge.url)
              request({ port, path: '/items/7?v=1', headers: { host: 'cdn.example.com' }, agent: false }, (answer) => {
                answer.resume().once('end', () => resolve(answer.headers['x-cache']))
              })
                .once('error', reject)
                .end()
            }),
        ),
      )
    }
    expect([await ask(), await ask()]).toEqual([
      ['MISS', 'MISS'],
      ['HIT', 'HIT'],
    ])
    await cdn.purgeUrls(['items/7'])
    expect(await ask()).toEqual(['HIT', 'HIT'])
    await cdn.purgeUrls(['http://cdn.example.com/items/7?v=1'])
    expect(await ask()).toEqual(['MISS', 'MISS'])
  })

  test('takes the names of tags off', async () => {
    await open()
    const { headers } = await get(`${edges[0]!.url}/items/7`)
    expect([...headers.keys()].filter((name) => /key|tag/.test(name) && name !== 'etag')).toEqual([])
  })

  test('takes purges from nobody without the secret', async () => {
    await open()
    const list = edges.map(({ url }) => url).join()
    for (const more of ['', '&tags=ban', '&soft=true']) {
      const cdn = openCdn({
        url: `http://cdn.example.com?provider=varnish&edges=${list}${more}`,
        secrets: { CDN_PURGE_KEY: 'a guess' },
      })
      const refused = { code: 'PLIMSOLL_CDN_REFUSED', details: { provider: 'varnish', status: 403 } }
      await expect(cdn.purgeTags(['items:7'])).rejects.toMatchObject(refused)
      await expect(cdn.purgeUrls(['items/7'])).rejects.toMatchObject(refused)
    }
    expect(await cached()).toEqual([pages, pages])
  })

  test('is purged everywhere or not at all, as far as anybody is told', async () => {
    const cdn = await open()
    await edges[1]!.crash()
    await expect(cdn.purgeTags(['items:7'])).rejects.toMatchObject({
      code: 'PLIMSOLL_CDN_UNREACHABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    })
    await edges[1]!.restart()
    await cdn.purgeTags(['items:7'])
  })
})
