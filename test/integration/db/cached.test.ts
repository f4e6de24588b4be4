import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { dynamic, planKey, planTags, type AnyQuerySet } from '../../../src/db/dynamic.ts'
import { createDb, prefetch, type Db } from '../../../src/db/index.ts'
import type { relations } from './blog.ts'
import { relations as blogRelations } from './blog.ts'
import { mapCache, type MapCache } from './map-cache.ts'
import { engines, openBlog, type Blog } from './open-blog.ts'

class Undo extends Error {}

describe.each(engines)('cached querysets on %s', (engine) => {
  let blog: Blog
  let cache: MapCache
  let db: Db<typeof relations>
  beforeAll(async () => {
    blog = await openBlog(engine)
  })
  afterAll(() => blog.close())
  beforeEach(() => {
    cache = mapCache(blog.postgres)
    const { postgres } = blog
    db = createDb({ relations: blogRelations, postgres, secret: 'a secret for tests', cache, writes: cache })
  })

  /** Changes rows, and puts them back. */
  async function changing(work: () => Promise<void>, back: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } finally {
      await back()
    }
  }

  type Reads = Readonly<Record<string, (queryset: AnyQuerySet) => PromiseLike<unknown>>>
  const reads: Reads = {
    rows: (posts) => posts.orderBy('id'),
    json: (posts) => posts.orderBy('id').json(),
    'the first': (posts) => posts.orderBy('-id').first(),
    'the JSON of the first': (posts) => posts.orderBy('-id').first().json(),
    'no first': (posts) => posts.filter({ id: 999 }).first(),
    one: (posts) => posts.filter({ slug: 'post-3' }).one(),
    'one by key': (posts) => posts.find(3),
    'one by filter': (posts) => posts.get({ slug: 'post-4' }),
    'many by key': (posts) => posts.only('title').inBulk([1, 2, 99]),
    count: (posts) => posts.filter({ status: 'draft' }).count(),
    existence: (posts) => posts.filter({ status: 'draft' }).exists(),
    'a page': (posts) => posts.orderBy('-publishedAt').page({ size: 4, total: 'exact' }),
    'the JSON of a page': (posts) => posts.orderBy('-publishedAt').page({ size: 4 }).json(),
    'a numbered page': (posts) => posts.orderBy('title').pageNumber({ page: 2, size: 5, total: 'exact' }),
    'flat rows': (posts) => posts.orderBy('id').values('title', 'author.name', 'publishedAt'),
    lists: (posts) => posts.orderBy('id').valuesList('meta'),
    joins: (posts) => posts.selectRelated('author.mentor', 'category').orderBy('author.name', 'id'),
    'prefetches by keys': (posts) => posts.prefetchRelated('comments.author', 'tags', 'hidden').orderBy('id'),
    'prefetches beside their parent': (posts) => posts.filter({ id: 3 }).prefetchRelated('comments', 'tags'),
    'prefetches in one snapshot': (posts) => posts.filter({ slug: 'post-3' }).prefetchRelated('comments', 'tags'),
    'prefetches of a page': (posts) => posts.prefetchRelated('tags').orderBy('id').page({ size: 3 }),
  }

  it.each(Object.entries(reads))('read %s once, and then without any statement', async (_, read) => {
    const expected = await read(dynamic(blog.db.posts))
    const posts = dynamic(db.posts).cached({ ttl: '1m' })
    expect(await read(posts)).toEqual(expected)
    const { result, statements } = await blog.counted(() => read(posts))
    expect(result).toEqual(expected)
    expect(statements).toEqual([])
  })

  it('run the statements that they would run without a cache', async () => {
    for (const read of Object.values(reads)) {
      const plain = await blog.counted(() => read(dynamic(blog.db.posts)))
      const cached = await blog.counted(() => read(dynamic(db.posts).cached()))
      // The same rows under another read are there by now.
      if (cached.statements.length > 0) expect(cached.statements.toSorted()).toEqual(plain.statements.toSorted())
    }
  })

  it('share what is kept between rows and JSON, and hand every reader rows of its own', async () => {
    const rows = db.posts.orderBy('id').selectRelated('author').limit(3).cached()
    const first = await rows
    first[0]!.title = 'spoiled'
    first[0]!.author.name = 'spoiled'
    first[0]!.publishedAt?.setFullYear(1999)
    const { result, statements } = await blog.counted(async () => [await rows, await rows.json()] as const)
    expect(statements).toEqual([])
    const expected = await blog.db.posts.orderBy('id').selectRelated('author').limit(3)
    expect(result[0]).toEqual(expected)
    expect(JSON.parse(result[1].toString())).toEqual(JSON.parse(JSON.stringify(expected)))
    expect(cache.entries.size).toBe(1)
  })

  it('keep apart what differs in a value, a page, a total or the kind of read', async () => {
    const posts = db.posts.orderBy('id').cached()
    const { next } = await posts.page({ size: 3 })
    await posts.page({ size: 3, after: next })
    await posts.page({ size: 4 })
    await posts.page({ size: 3, total: 'exact' })
    await posts.pageNumber({ page: 1, size: 3 })
    await posts.pageNumber({ page: 2, size: 3 })
    await posts.filter({ id: 1 })
    await posts.filter({ id: 2 })
    await posts.filter({ title: '1' })
    await posts.count()
    await posts.exists()
    expect(new Set(cache.asked.map(({ key }) => key)).size).toBe(11)
    expect(cache.asked.every(({ key }) => /^q:[\w-]{43}$/.test(key))).toBe(true)
  })

  it('ask under the same key in every process', () => {
    const other = createDb({ relations: blogRelations, postgres: blog.postgres, secret: 'another secret for it' })
    const read = (from: Db<typeof relations>): AnyQuerySet =>
      dynamic(from.posts.filter({ slug: 'x' }).prefetchRelated('comments').orderBy('-id'))
    expect(planKey(read(db), 'json')).toBe(planKey(read(other), 'json'))
    expect(planKey(read(db), 'json')).not.toBe(planKey(read(db), 'csv'))
    const byViews = (views: unknown): string => planKey(dynamic(db.posts).filter({ title: views }), 'rows')
    expect(new Set([5, '5', 5n, '5n', true, 'true'].map(byViews)).size).toBe(6)
  })

  it('refuse a page that cannot be, before the cache is asked', async () => {
    const posts = db.posts.orderBy('id').cached()
    await expect(posts.page({ size: 0 })).rejects.toMatchObject({ code: 'PLIMSOLL_PAGE_INVALID' })
    await expect(posts.page({ size: 3, after: 'forged' })).rejects.toMatchObject({ code: 'PLIMSOLL_CURSOR_INVALID' })
    await expect(posts.page({ size: 3, total: 'all' as never })).rejects.toMatchObject({
      code: 'PLIMSOLL_PAGE_INVALID',
    })
    expect(cache.asked).toEqual([])
  })

  it('are read anew after a write that they depend on, and only after such a one', async () => {
    const one = db.posts.filter({ id: 3 }).selectRelated('author').cached()
    const other = db.posts.filter({ id: 4 }).cached()
    const byAuthor = db.posts.filter({ authorId: 4 }).orderBy('id').cached()
    const read = async (): Promise<void> => {
      await Promise.all([one, other, byAuthor])
    }
    await read()
    await changing(
      async () => {
        await db.posts.filter({ id: 3 }).update({ title: 'new title' })
        const { statements } = await blog.counted(read)
        // Post 3 is of author 4.
        expect(statements).toHaveLength(2)
        expect((await one)[0]!.title).toBe('new title')
        expect((await byAuthor).map((post) => post.title)).toContain('new title')

        await db.users.filter({ id: 4 }).update({ name: 'renamed' })
        expect((await blog.counted(read)).statements).toHaveLength(1)
        expect((await one)[0]!.author.name).toBe('renamed')

        await db.posts.filter({ id: 3 }).update({ authorId: 1 })
        expect((await byAuthor).map((post) => post.id)).not.toContain(3)
      },
      async () => {
        await blog.db.posts.filter({ id: 3 }).update({ title: 'Post "3" ½', authorId: 4 })
        await blog.db.users.filter({ id: 4 }).update({ name: 'user 4' })
      },
    )
  })

  it('see the writes of their transaction, keep nothing of it, and are read anew after its commit', async () => {
    const posts = db.posts.filter({ id: 5 }).cached()
    const before = await posts
    await db
      .transaction(async (tx) => {
        await tx.posts.filter({ id: 5 }).update({ title: 'not committed' })
        // The querysets of `db` join the transaction, and those of `tx` are its own.
        expect((await posts)[0]!.title).toBe('not committed')
        expect((await tx.posts.filter({ id: 5 }).cached())[0]!.title).toBe('not committed')
        throw new Undo()
      })
      .catch(() => {})
    expect(cache.asked).toHaveLength(1)
    expect(cache.bumped).toEqual([])
    expect((await blog.counted(() => posts)).statements).toEqual([])
    await changing(
      async () => {
        await db.transaction(async (tx) => {
          await tx.posts.filter({ id: 5 }).update({ title: 'committed' })
          expect(cache.bumped).toEqual([])
        })
        expect((await posts)[0]!.title).toBe('committed')
      },
      () => blog.db.posts.filter({ id: 5 }).update({ title: before[0]!.title }),
    )
  })

  it('hand their options on; the signal of a reader ends its own waiting, not the load', async () => {
    const { signal } = new AbortController()
    const within = { signal, timeout: '5s' } as const
    await db.posts.limit(1).cached({ ttl: '1m', stale: 500 }).within(within)
    await db.posts.limit(1).within(within).cached({ ttl: '1m', stale: 500 })
    expect(cache.asked).toMatchObject([
      { hit: false, ttl: '1m', stale: 500 },
      { hit: true, ttl: '1m', stale: 500 },
    ])
    expect(cache.asked.map((ask) => ask.signal)).toEqual([signal, signal])

    const leaving = new AbortController()
    const { get } = cache
    Object.assign(cache, {
      get: (...call: Parameters<typeof get>) => {
        leaving.abort()
        return get(...call)
      },
    })
    const rows = db.posts.limit(2).orderBy('id').within({ signal: leaving.signal }).cached()
    expect(await rows).toHaveLength(2)
    await expect(rows).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_CANCELLED' })
  })

  it('read from the database what they cannot read from the cache', async () => {
    const posts = db.posts.orderBy('id').limit(2).prefetchRelated('tags').cached()
    const expected = await posts
    for (const entry of cache.entries.values()) entry.bytes = Buffer.from('of another release')
    expect(await posts).toEqual(expected)
  })

  it('do not keep a read that failed', async () => {
    const wrong = db.posts.filter({ RAW: (post) => sql`${post.id} / 0 = 1` }).cached()
    await expect(wrong.count()).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_FAILED' })
    expect(cache.entries.size).toBe(0)
  })

  it('are refused where there is no cache, inside of a prefetch, and with options that are none', () => {
    expect(() => blog.db.posts.cached()).toThrow(
      expect.objectContaining({
        code: 'PLIMSOLL_QUERY_INVALID',
        message: expect.stringContaining('createApp') as string,
      }),
    )
    expect(() => db.posts.prefetchRelated(prefetch('comments', (rows) => rows.cached()))).toThrow(/around it/)
    expect(() => db.posts.cached({ ttl: 'soon' as never })).toThrow(/ttl/)
    expect(() => db.posts.cached('5m' as never)).toThrow(/\{ ttl: '5m' \}/)
  })

  it('leave every other queryset alone', async () => {
    await db.posts.orderBy('id')
    await db.posts.count()
    await db.posts.page({ size: 2 })
    expect(cache.asked).toEqual([])
  })

  it('tell their tags to whoever keeps what is made of them', () => {
    expect(planTags(dynamic(db.posts.filter({ id: 7 }).prefetchRelated('comments')))).toEqual([
      'posts*',
      'posts:7',
      'comments*',
      'comments.post_id=7',
    ])
    expect(planTags(dynamic(db.posts.filter({ author: { id: 7 } }).selectRelated('author')), 'count')).toEqual([
      'posts*',
      'posts.author_id=7',
      'users*',
      'users:7',
    ])
  })
})
