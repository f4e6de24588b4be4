import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import pg from 'pg'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { surrogateKey } from '../../../src/http/index.ts'
import { installTriggers } from '../../../src/outbox/index.ts'
import { buildModelGraph } from '../../../src/schema/index.ts'
import { observe, type PlimsollEvent } from '../../../src/core/events.ts'
import { anyDatabase, createDatabase, embeddedDatabase } from '../../servers/database.ts'
import { freePort } from '../../servers/free-port.ts'
import { hasVarnish, startVarnishEdge, type VarnishServer } from '../../servers/varnish.ts'
import { fillLibrary, openLibrary, relations, type Library } from './library.ts'
import { startPurgeApiDouble } from './purge-api-double.ts'

/** Where the data is, where the cache. */
const places: readonly (readonly [engine: string, cache: string, cacheUrl: string])[] = [
  ['PGlite', 'memory', 'memory:'],
  ...(inject('postgresUrl') ? [['PostgreSQL', 'memory', 'memory:'] as const] : []),
  ...(inject('postgresUrl') && inject('redisUrl') ? [['PostgreSQL', 'Redis', inject('redisUrl')] as const] : []),
]

const secrets = { CDN_PURGE_KEY: 'the secret of CDN_PURGE_KEY' }
const pages = ['/books/1', '/books/2', '/books', '/authors/1', '/authors/2'] as const

interface Opened {
  readonly app: Library
  readonly databaseUrl: string
  readonly cdnUrl: string
  /** What the edge says of a page: its text, and whether it had it. */
  get(path: string): Promise<{ text: string; cache: string | null }>
  /** Asks for all pages until the edge has them. */
  warm(): Promise<void>
  /** The items of rows of purges that wait. */
  waiting(): Promise<string[]>
}

/** What every application behind Varnish is behind, one after another: to start one takes a compiler. */
let edge: VarnishServer
/** Where they listen. */
let port = 0

/** An application behind a Varnish that purges it, and has nothing yet. */
async function open(engine: string, { cacheUrl = 'memory:', triggers = false } = {}): Promise<Opened> {
  const database = engine === 'PGlite' ? embeddedDatabase : await createDatabase()
  onTestFinished(() => database.drop())
  const everything = { 'x-cdn-purge': secrets.CDN_PURGE_KEY, 'x-tag-pattern': '.' }
  expect((await fetch(edge.url, { method: 'BAN', headers: everything })).status).toBe(200)
  const cdnUrl = `${edge.url}?provider=varnish&edges=${edge.url}`
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-purged-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const start = (): Promise<Library> =>
    openLibrary({ databaseUrl: database.url, cacheUrl, storageUrl: `file:${folder}`, cdn: { url: cdnUrl, secrets } })
  let app = await start()
  onTestFinished(() => app.close())
  await fillLibrary(app)
  if (triggers) {
    await installTriggers(app.postgres, buildModelGraph(relations))
    await app.close()
    // It looks for them when it starts.
    app = await start()
  }
  await app.listen({ port, host: '127.0.0.1' })
  const get: Opened['get'] = async (path) => {
    const answer = await fetch(edge.url + path, { headers: { 'accept-encoding': 'identity' } })
    return { text: await answer.text(), cache: answer.headers.get('x-cache') }
  }
  return {
    app,
    databaseUrl: database.url,
    cdnUrl,
    get,
    async warm() {
      // The making of the tables is purged too.
      await expect.poll(async () => waiting(app)).toEqual([])
      await expect
        .poll(async () => Promise.all(pages.map(async (path) => (await get(path)).cache)))
        .toEqual(pages.map(() => 'HIT'))
    },
    waiting: () => waiting(app),
  }
}

async function waiting({ db }: Library): Promise<string[]> {
  const { rows } = await db.drizzle.execute<{ items: string }>(
    sql`select array_to_string(items, ' ') as items from plimsoll.outbox where kind = 'cdn.purge' order by id`,
  )
  return rows.map(({ items }) => items)
}

describe.runIf(hasVarnish())('an application behind Varnish', () => {
  beforeAll(async () => {
    port = await freePort()
    edge = await startVarnishEdge(`http://127.0.0.1:${port}`)
  })
  afterAll(() => edge.stop())

  describe.each(places)('on %s with a cache in %s', (engine, _, cacheUrl) => {
    test('purges what a write has changed after its commit, and nothing else', async () => {
      const { app, get, warm, waiting } = await open(engine, { cacheUrl })
      await warm()
      expect(await get('/books/1')).toMatchObject({ cache: 'HIT', text: expect.stringContaining('"A"') })
      await app.db.books.filter({ id: 1 }).update({ title: 'A, revised' })
      await expect.poll(async () => (await get('/books/1')).text).toContain('A, revised')
      await expect.poll(waiting).toEqual([])
      expect((await get('/books')).text).toContain('A, revised')
      expect((await get('/authors/1')).text).toContain('A, revised')
      // What the write did not touch never left the edge.
      for (const path of ['/books/2', '/authors/2']) expect(await get(path)).toMatchObject({ cache: 'HIT' })
    })

    test('purges nothing when the write is rolled back', async () => {
      const { app, get, warm, waiting } = await open(engine, { cacheUrl })
      await warm()
      const failing = app.db.transaction(async (tx) => {
        await tx.books.filter({ id: 1 }).update({ title: 'never' })
        throw new Error('rolled back')
      })
      await expect(failing).rejects.toThrow('rolled back')
      expect(await waiting()).toEqual([])
      // A write of something else, whose purge comes after the one that must not.
      await app.db.authors.filter({ id: 2 }).update({ name: 'Second' })
      await expect.poll(async () => (await get('/authors/2')).text).toContain('Second')
      for (const path of ['/books/1', '/books/2', '/books']) expect(await get(path)).toMatchObject({ cache: 'HIT' })
    })
  })

  test('purges a file that was replaced or removed, also where the transaction around it is rolled back', async () => {
    const { app, get, waiting } = await open('PGlite')
    for (const name of ['notes.txt', 'other.txt'])
      await app.files.put(name, Buffer.from('first'), { type: 'text/plain' })
    await expect.poll(waiting).toEqual([])
    const warm = async (path: string): Promise<void> => {
      await expect.poll(async () => (await get(path)).cache).toBe('HIT')
    }
    await warm('/files/notes.txt')
    await warm('/files/other.txt')
    await app.files.put('notes.txt', Buffer.from('second'), { type: 'text/plain' })
    await expect.poll(async () => (await get('/files/notes.txt')).text).toBe('second')
    await warm('/files/notes.txt')
    const failing = app.db.transaction(async () => {
      await app.files.delete(['notes.txt'])
      throw new Error('rolled back')
    })
    await expect(failing).rejects.toThrow('rolled back')
    await expect.poll(async () => (await get('/files/notes.txt')).text).toContain('There is no such file')
    expect(await get('/files/other.txt')).toMatchObject({ cache: 'HIT', text: 'first' })
  })

  test('purges what Drizzle and plain statements write, and what a call in a transaction adds up to, in few requests', async () => {
    const { app, get, warm, waiting } = await open('PGlite')
    await warm()
    const seen: PlimsollEvent[] = []
    onTestFinished(observe((event) => void (event.type === 'cdn.purge' && seen.push(event))))
    for (let n = 0; n < 20; n++)
      await app.db.drizzle.execute(sql.raw(`update books set title = 'Book ${n}' where id = 1`))
    await expect.poll(async () => (await get('/books/1')).text).toContain('Book 19')
    await expect.poll(waiting).toEqual([])
    const items = seen.map((event) => (event.type === 'cdn.purge' ? event.items : 0))
    expect(items.length).toBeLessThan(20)
    // `books` and `books*`, each named once however many writes there were.
    expect(new Set(items)).toEqual(new Set([2]))
  })

  test.runIf(inject('postgresUrl'))('purges what triggers see others write', async () => {
    const { databaseUrl, get, warm } = await open('PostgreSQL', { triggers: true })
    await warm()
    const other = new pg.Client({ connectionString: databaseUrl })
    await other.connect()
    await other.query(`update books set title = 'by somebody else' where id = 1`)
    await other.end()
    await expect.poll(async () => (await get('/books/1')).text).toContain('by somebody else')
    expect(await get('/books/2')).toMatchObject({ cache: 'HIT' })
  })

  test.runIf(inject('postgresUrl'))('has what a killed process has committed purged by the next one', async () => {
    const { app, databaseUrl, cdnUrl, get, warm } = await open('PostgreSQL')
    await warm()
    await app.close()
    const writer = fork(join(import.meta.dirname, 'writer.ts'), [databaseUrl, cdnUrl], {
      env: { ...process.env, ...secrets },
    })
    const [message] = (await once(writer, 'message')) as [unknown]
    writer.kill('SIGKILL')
    await once(writer, 'exit')
    expect(message).toBe('committed')
    // Nobody has purged it.
    expect(await get('/books/1')).toMatchObject({ cache: 'HIT', text: expect.stringContaining('"A"') })
    const next = await openLibrary({ databaseUrl, cdn: { url: cdnUrl, secrets } })
    onTestFinished(() => next.close())
    await next.listen({ port, host: '127.0.0.1' })
    await expect.poll(async () => (await get('/books/1')).text).toContain('written by one that was killed')
    expect(await get('/books/2')).toMatchObject({ cache: 'HIT' })
  })
})

describe('an application whose CDN', () => {
  async function anyDatabaseUrl(): Promise<string> {
    const database = await anyDatabase()
    onTestFinished(() => database.drop())
    return database.url
  }

  /** An application whose purges go to a double of Fastly. */
  async function openWithDouble(cdn: { readonly purgeWrites?: boolean } = {}) {
    const double = await startPurgeApiDouble()
    onTestFinished(() => double[Symbol.asyncDispose]())
    const url = `https://cdn.example.com?provider=fastly&service=s&api=${double.url}`
    const app = await openLibrary({
      databaseUrl: await anyDatabaseUrl(),
      cdn: { url, secrets: { CDN_API_TOKEN: 'a token' }, ...cdn },
    })
    onTestFinished(() => app.close())
    await fillLibrary(app)
    if (cdn.purgeWrites !== false) await expect.poll(() => waiting(app)).toEqual([])
    double.seen.length = 0
    return { app, double }
  }

  const surrogateKeysOf = (tags: readonly string[]): string => tags.map(surrogateKey).join(' ')
  const tagsOf = ({ body }: { body: string }): string[] =>
    (JSON.parse(body) as { surrogate_keys: string[] }).surrogate_keys

  test('answers nothing holds up neither writes nor what they end in the cache', async () => {
    const { app, double } = await openWithDouble()
    const title = app.db.books.filter({ id: 1 }).values('title').cached({ ttl: '1h' })
    expect(await title).toEqual([{ title: 'A' }])
    const { promise, resolve } = Promise.withResolvers<void>()
    double.hold(promise)
    await app.db.books.filter({ id: 2 }).update({ title: 'B, revised' })
    await expect.poll(() => double.seen.length).toBe(1)
    // While the purge of the first write is still being waited for:
    await app.db.books.filter({ id: 1 }).update({ title: 'A, revised' })
    expect(await title).toEqual([{ title: 'A, revised' }])
    expect((await waiting(app)).join(' ')).toContain('books:1')
    resolve()
    await expect.poll(() => waiting(app)).toEqual([])
    expect(new Set(double.seen.flatMap(tagsOf))).toEqual(new Set(['books', 'books:1', 'books:2', 'books.author_id=1']))
  })

  test('is away is told later, by rows that say how it goes', async () => {
    const { app, double } = await openWithDouble()
    for (let n = 0; n < 7; n++) double.answers.push({ status: 503, body: 'maintenance' })
    await app.db.books.filter({ id: 1 }).update({ title: 'A, revised' })
    const errors = sql`select coalesce(max(last_error), '') as error from plimsoll.outbox where kind = 'cdn.purge'`
    const said = async (): Promise<string> => (await app.db.drizzle.execute<{ error: string }>(errors)).rows[0]!.error
    await expect.poll(said).toMatch(/fastly did not purge: It answered 503/)
    await expect.poll(() => waiting(app)).toEqual([])
    expect(double.seen).toHaveLength(8)
    expect(tagsOf(double.seen.at(-1)!)).toContain('books:1')
  })

  test('refuses is told again, loudly', async () => {
    const { app, double } = await openWithDouble()
    const lines = vi.spyOn(console, 'error').mockImplementation(() => {})
    onTestFinished(() => lines.mockRestore())
    double.answers.push({ status: 403, body: 'wrong service' }, { status: 403, body: 'wrong service' })
    await app.db.books.filter({ id: 1 }).update({ title: 'A, revised' })
    await expect.poll(() => waiting(app)).toEqual([])
    expect(double.seen).toHaveLength(3)
    expect(lines.mock.calls).toEqual([
      [expect.stringMatching(/stays at the CDN as it was: .*status 403: wrong service.*plimsoll\.outbox/)],
    ])
  })

  test('takes few tags is told those of tables when there are many', async () => {
    const { app, double } = await openWithDouble()
    await app.db.transaction(async (tx) => {
      for (let id = 10; id < 210; id++) await tx.books.create({ id, title: 'new', authorId: 1 })
    })
    await expect.poll(() => waiting(app)).toEqual([])
    expect(new Set(double.seen.flatMap(tagsOf))).toEqual(new Set(['books', 'books*']))
  })

  test('has a video is told of few tags when that is removed, and of none of what was never served', async () => {
    const { app, double } = await openWithDouble()
    const names = Array.from({ length: 150 }, (_, n) => `${['90p', '180p'][n % 2]}/${n}.m4s`)
    const keys = [...names, 'master.m3u8'].map((name) => `videos/1/ab/${name}`)
    const facts = { type: 'video/mp4', cacheControl: 'public, max-age=31536000, immutable' }
    const working = names.map((_, n) => `.videos/ab/${n}.mp4`)
    for (const key of [...keys, 'videos/1/poster.jpg']) await app.files.put(key, Buffer.from('x'), facts)
    for (const key of working) await app.files.put(key, Buffer.from('x'))
    await app.files.delete(working)
    expect(await waiting(app)).toEqual([])
    const tags = async (key: string): Promise<unknown> =>
      (await app.fastify.inject(`/files/${key}`)).headers['surrogate-key']
    expect(await tags(keys[0]!)).toBe(`files files:videos/1/ab/ files:videos/1/ab/90p/ files:${keys[0]}`)
    expect(await tags(keys.at(-1)!)).toBe(`files files:videos/1/ files:videos/1/ab/ files:${keys.at(-1)}`)
    expect((await app.fastify.inject(`/files/${working[0]}`)).statusCode).toBe(404)
    await app.files.delete(keys)
    await expect.poll(() => waiting(app)).toEqual([])
    expect(double.seen.flatMap(tagsOf)).toEqual(['files:videos/1/ab/'])
  })

  test('has variants of images at addresses of its own, and is told when one is forgotten, replaced or removed', async () => {
    const { app, double } = await openWithDouble()
    const images = app.images('/images', { variants: { small: { width: 8 } } })
    const key = "pictures/7/å b's (1).jpg"
    const tag = `files:${key}`
    const picture = await sharp({ create: { width: 16, height: 8, channels: 3, background: 'teal' } })
      .jpeg()
      .toBuffer()
    const { etag } = await app.files.put(key, picture, { type: 'image/jpeg' })
    const ask = (url: string) => app.fastify.inject(url.replace('https://cdn.example.com', ''))
    const purged = async (): Promise<string[]> => {
      await expect.poll(() => waiting(app)).toEqual([])
      return double.seen.splice(0).flatMap(tagsOf)
    }
    await purged()
    for (const given of [{}, { etag }]) {
      const url = app.cdn.url(images.path(key, 'small', given))
      expect(url).toMatch(/^https:\/\/cdn\.example\.com\/images\/small\//)
      const { statusCode, headers } = await ask(url)
      expect([statusCode, headers['cache-control']]).toEqual([200, 'public, max-age=31536000, immutable'])
      expect(headers['surrogate-key']).toBe(surrogateKeysOf(['files', 'files:pictures/', 'files:pictures/7/', tag]))
    }
    expect((await ask(images.url(key, 'small'))).headers['surrogate-key']).toBeDefined()
    const brief = await ask(app.cdn.url(images.path(key, 'small', { expires: '1m' })))
    expect([brief.statusCode, brief.headers['surrogate-key']]).toEqual([200, undefined])
    // What is made and kept here is told to nobody.
    expect(await purged()).toEqual([])
    await images.forget(key)
    expect(await purged()).toEqual([surrogateKey(tag)])
    // An edge may have what is not kept here any more.
    await images.forget(key)
    expect(await purged()).toEqual([surrogateKey(tag)])
    await app.files.put(key, picture, { type: 'image/jpeg' })
    await app.files.delete([key])
    expect(new Set(await purged())).toEqual(new Set([surrogateKey(tag)]))
  })

  test('is not to be purged by writes is left alone, and purged by hand', async () => {
    const { app, double } = await openWithDouble({ purgeWrites: false })
    await app.db.books.filter({ id: 1 }).update({ title: 'A, revised' })
    await app.cdn.purgeTags(['books:1'])
    expect(double.seen.map(tagsOf)).toEqual([['books:1']])
  })

  test('reads a header of its own finds the tags in it', async () => {
    const { app } = await openWithDouble()
    const answer = await app.fastify.inject('/books/1')
    expect(answer.headers['surrogate-key']).toBe('books* books:1')
    const akamai = await openLibrary({
      databaseUrl: await anyDatabaseUrl(),
      cdn: {
        url: 'https://cdn.example.com?provider=akamai',
        purgeWrites: false,
        secrets: {
          AKAMAI_HOST: 'a.example',
          AKAMAI_CLIENT_TOKEN: 'b',
          AKAMAI_CLIENT_SECRET: 'c',
          AKAMAI_ACCESS_TOKEN: 'd',
        },
      },
    })
    onTestFinished(() => akamai.close())
    await fillLibrary(akamai)
    const { headers } = await akamai.fastify.inject('/books/1')
    expect(headers).toMatchObject({ 'edge-cache-tag': 'books%2A,books%3A1' })
    expect(headers).not.toHaveProperty('surrogate-key')
  })

  test('is counted', async () => {
    const double = await startPurgeApiDouble()
    onTestFinished(() => double[Symbol.asyncDispose]())
    const app = await openLibrary({
      databaseUrl: await anyDatabaseUrl(),
      metrics: true,
      cdn: {
        url: `https://cdn.example.com?provider=bunny&pullZone=1&api=${double.url}`,
        purgeWrites: false,
        secrets: { CDN_API_TOKEN: 'a token' },
      },
    })
    onTestFinished(() => app.close())
    await app.cdn.purgeTags(['a', 'b'])
    double.answers.push({ status: 400 })
    await app.cdn.purgeUrls(['a']).catch(() => {})
    const { payload } = await app.fastify.inject('/metrics')
    expect(payload).toContain('plimsoll_cdn_purges_total{provider="bunny",by="tags",outcome="done"} 1')
    expect(payload).toContain('plimsoll_cdn_purges_total{provider="bunny",by="urls",outcome="refused"} 1')
    expect(payload).toContain('plimsoll_cdn_purged_total{provider="bunny",by="tags"} 2')
    expect(payload).toContain('plimsoll_cdn_purge_duration_seconds_count{provider="bunny",by="tags"} 1')
  })

  test('is wrong ends the start before anything is opened', async () => {
    vi.stubEnv('CDN_URL', 'https://cdn.example.com?provider=varnish')
    onTestFinished(() => void vi.unstubAllEnvs())
    await expect(openLibrary({ databaseUrl: 'postgres://nobody@127.0.0.1:1/none' })).rejects.toMatchObject({
      code: 'PLIMSOLL_OPTION_INVALID',
      message: expect.stringContaining('edges is missing'),
    })
  })
})
