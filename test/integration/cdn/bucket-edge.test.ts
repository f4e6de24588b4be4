import { randomBytes } from 'node:crypto'
import { defineRelations } from 'drizzle-orm'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp, type App } from '../../../src/app/index.ts'
import { freePort } from '../../servers/free-port.ts'
import { hasNginx, startNginxEdge, type CachingProxy } from '../../servers/nginx.ts'
import { makePageBucket, type PageBucket } from '../../servers/page-bucket.ts'
import { findRadosgw } from '../../servers/radosgw.ts'

const relations = defineRelations({ things: pgTable('things', { id: integer().primaryKey() }) }, () => ({}))
const segment = randomBytes(2_500_000)
const immutable = 'public, max-age=31536000, immutable'
const folder = 'private/films/7'

describe.runIf(hasNginx() && findRadosgw() !== undefined)('files of a bucket behind nginx', () => {
  let app: App<typeof relations>
  let origin = ''
  let bucket: PageBucket
  let edge: CachingProxy

  beforeAll(async () => {
    bucket = await makePageBucket()
    const port = await freePort()
    origin = `http://127.0.0.1:${port}`
    edge = await startNginxEdge(origin)
    app = await createApp({
      relations,
      databaseUrl: 'pglite:memory',
      secret: 'a secret for tests',
      storageUrl: bucket.url,
      cdn: { url: `${edge.url}?provider=nginx`, secrets: { CDN_KEY: 'the secret of CDN_KEY' } },
    })
    const authorize = ({ headers }: { readonly headers: object }): boolean => 'x-owner' in headers
    app.downloads('/private/films', { prefix: 'private/films/', authorize, edgeKey: 'the secret of EDGE_KEY' })
    app.downloads('/clips', { prefix: 'clips/', cache: 'immutable' })
    app.downloads('/redirected', { prefix: 'clips/', cache: 'immutable', deliver: 'redirect' })
    app.downloads('/invoices', { prefix: 'invoices/', authorize })
    await app.listen({ port, host: '127.0.0.1' })
    const type = 'video/iso.segment'
    for (const key of [`${folder}/sd/1.m4s`, 'clips/1.m4s', 'invoices/1.m4s'])
      await app.files.put(key, segment, { type, cacheControl: immutable })
    const playlist = Buffer.from('#EXTM3U\n#EXTINF:4\n1.m4s\n')
    await app.files.put(`${folder}/sd/index.m3u8`, playlist, { type: 'application/vnd.apple.mpegurl' })
  })
  afterAll(async () => {
    await app.close()
    await edge.stop()
  })

  /** What is answered, with all that could name the bucket. */
  async function get(url: string, headers: Record<string, string> = {}) {
    const answer = await fetch(url, { headers, redirect: 'manual' })
    const body = Buffer.from(await answer.arrayBuffer())
    return {
      status: answer.status,
      cache: answer.headers.get('x-cache'),
      location: answer.headers.get('location'),
      control: answer.headers.get('cache-control'),
      namesBucket: [...answer.headers.values()].some((value) => value.includes(new URL(bucket.origin).host)),
      body,
    }
  }

  test('come from the edge, which fetches bytes and keeps them, opened by a token of their folder', async () => {
    const { url } = app.cdn.grant(`${folder}/sd/index.m3u8`)
    expect((await get(url)).body.toString()).toContain('1.m4s')
    const at = new URL('1.m4s', url).href
    const first = await get(at)
    expect({ ...first, body: first.body.equals(segment) }).toEqual({
      status: 200,
      cache: 'MISS',
      location: null,
      control: immutable,
      namesBucket: false,
      body: true,
    })
    const second = await get(at)
    expect([second.status, second.cache, second.body.equals(segment)]).toEqual([200, 'HIT', true])
    const range = await get(at, { range: 'bytes=1048570-1048589' })
    expect([range.status, range.cache, range.location]).toEqual([206, 'HIT', null])
    expect(range.body.equals(segment.subarray(1_048_570, 1_048_590))).toBe(true)
  })

  test('come to no stranger, neither by the edge nor past it', async () => {
    const bare = `/${folder}/sd/1.m4s`
    expect((await get(edge.url + bare)).status).toBe(403)
    expect((await get(origin + bare)).status).toBe(404)
    expect((await get(origin + bare, { 'x-edge-key': 'the secret of EDGE_KE' })).status).toBe(404)
    // Whom the application lets in is sent to the bucket, and no cache keeps where that is.
    const owner = await get(origin + bare, { 'x-owner': '1' })
    expect([owner.status, owner.control, owner.namesBucket]).toEqual([302, 'private, no-store', true])
  })

  test('that everybody may have come from the edge too', async () => {
    const seen = [await get(`${edge.url}/clips/1.m4s`), await get(`${edge.url}/clips/1.m4s`)]
    expect(seen.map(({ status, cache, location, namesBucket }) => [status, cache, location, namesBucket])).toEqual([
      [200, 'MISS', null, false],
      [200, 'HIT', null, false],
    ])
  })

  test.each([
    ['/redirected/1.m4s', {}, 'private, max-age=150'],
    ['/invoices/1.m4s', { 'x-owner': '1' }, 'private, no-store'],
  ])('by a redirect, such as %s, are kept by the edge for nobody', async (path, headers, control) => {
    const first = await get(edge.url + path, headers)
    expect([first.status, first.control, first.cache]).toEqual([302, control, 'MISS'])
    const second = await get(edge.url + path, headers)
    expect([second.status, second.cache]).toEqual([302, 'MISS'])
    const { status, body } = await get(second.location!)
    expect([status, body.equals(segment)]).toEqual([200, true])
  })
})
