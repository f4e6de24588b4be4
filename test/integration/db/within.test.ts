import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDb } from '../../../src/db/index.ts'
import { relations } from './blog.ts'
import { engines, openBlog, type Blog } from './open-blog.ts'

describe.each(engines)('bounds of querysets on %s', (engine) => {
  let blog: Blog
  beforeAll(async () => {
    blog = await openBlog(engine)
  })
  afterAll(() => blog.close())

  const cancelled = { code: 'PLIMSOLL_STATEMENT_CANCELLED' }

  it('a signal that has aborted stops every end of a chain before a statement is sent', async () => {
    const posts = blog.db.posts.within({ signal: AbortSignal.abort() }).prefetchRelated('tags').orderBy('id')
    const ends: (() => PromiseLike<unknown>)[] = [
      () => posts,
      () => posts.json(),
      () => posts.first(),
      () => posts.count(),
      () => posts.exists(),
      () => posts.page({ size: 3 }),
      () => posts.pageNumber({ page: 1, size: 3 }),
      async () => {
        for await (const _ of posts.iterate()) expect.unreachable()
      },
      () => posts.filter({ id: 1 }).update({ title: 'changed' }),
      () => posts.filter({ id: 1 }).delete(),
    ]
    for (const end of ends) {
      const { statements } = await blog.counted(async () => expect(end()).rejects.toMatchObject(cancelled))
      expect(statements).toEqual([])
    }
    expect(await blog.db.posts.get(1)).toMatchObject({ title: 'Post "1" ½' })
  })

  it('leaves the queryset that it came from, and its rows, as they were', async () => {
    const all = blog.db.posts.orderBy('id')
    const bounded = all.within({ signal: new AbortController().signal, timeout: '30s' })
    expect(await bounded.limit(3)).toEqual(await all.limit(3))
    expect(await bounded.prefetchRelated('comments.author', 'tags').json()).toEqual(
      await all.prefetchRelated('comments.author', 'tags').json(),
    )
  })

  it.skipIf(engine === 'pglite')('cancel and time out on the server, which PGlite cannot', async () => {
    const slow = blog.db.posts.filter({ id: 1, RAW: () => sql`pg_sleep(30) is not null` })
    const stop = new AbortController()
    const waiting = slow.within({ signal: stop.signal }).count()
    setTimeout(() => stop.abort(), 50)
    await expect(waiting).rejects.toMatchObject(cancelled)
    await expect(slow.within({ timeout: '50ms' })).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_TIMEOUT' })
    expect(() => slow.within({ timeout: 'soon' as never })).toThrow('timeout')
  })

  it('a secret that could be guessed signs nothing', () => {
    expect(() => createDb({ relations, postgres: blog.postgres, secret: 'short' })).toThrow(/at least 16/)
  })
})
