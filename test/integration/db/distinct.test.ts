import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dynamic } from '../../../src/db/dynamic.ts'
import { engines, openBlog, type Blog } from './open-blog.ts'

describe.each(engines)('distinct on %s', (engine) => {
  let blog: Blog
  beforeAll(async () => {
    blog = await openBlog(engine)
  })
  afterAll(() => blog.close())

  it('with paths keeps the first row of each group, whichever call comes first', async () => {
    const { posts } = blog.db
    // Authors 1 to 5, and the last post of each.
    const expected = [10, 11, 12, 8, 9]
    for (const queryset of [
      posts.distinct('authorId').orderBy('-views'),
      posts.orderBy('-views').distinct('authorId'),
      posts.orderBy('id').distinct('authorId').orderBy('-views'),
      posts.distinct('status').distinct('authorId').orderBy('-views'),
    ]) {
      const { result, statements } = await blog.counted(() => queryset)
      expect(result.map((post) => post.id)).toEqual(expected)
      expect(statements).toHaveLength(1)
    }
  })

  it('with paths keeps to the order that was asked for among them', async () => {
    const { posts } = blog.db
    const down = await posts
      .distinct('authorId', 'status')
      .orderBy('-status', '-authorId', 'id')
      .values('status', 'authorId')
    const expected = (await posts.values('status', 'authorId').distinct()).toSorted(
      (a, b) => b.status.localeCompare(a.status) || b.authorId - a.authorId,
    )
    expect(down).toEqual(expected)
    expect(await posts.distinct('status').orderBy('-status').valuesList('status')).toEqual(['published', 'draft'])
  })

  it('with paths orders through relations, counts, limits and prefetches', async () => {
    const queryset = blog.db.posts.distinct('author.name').orderBy('-id')
    expect(await queryset.count()).toBe(5)
    expect(await queryset.limit(2).valuesList('author.name')).toEqual(['user 1', 'user 2'])
    expect((await queryset.prefetchRelated('tags').limit(1))[0]!.tags).toBeInstanceOf(Array)
  })

  it('of values orders by what they hold', async () => {
    const { posts } = blog.db
    expect(await posts.values('status').distinct().orderBy('-status')).toEqual([
      { status: 'published' },
      { status: 'draft' },
    ])
    expect(await posts.selectRelated('author').distinct().orderBy('author.name', 'id').count()).toBe(12)
    expect(await posts.distinct('status').distinct().values('status').orderBy('status')).toHaveLength(2)
  })

  it('of values refuses any other order before SQL, and says what would do', async () => {
    const { posts } = blog.db
    const { statements } = await blog.counted(async () => {
      for (const queryset of [
        posts.values('status').distinct().orderBy('id'),
        posts.valuesList('status').distinct().orderBy('status', 'author.name'),
        posts.only('status').distinct().orderBy('-views'),
      ]) {
        const refusal = {
          code: 'PLIMSOLL_QUERY_INVALID',
          message: expect.stringMatching(/distinct\(\).*do not show '(id|author\.name|views)': show it/) as unknown,
        }
        await expect(Promise.resolve(queryset)).rejects.toMatchObject(refusal)
        await expect(queryset.json()).rejects.toMatchObject(refusal)
        await expect(queryset.count()).rejects.toMatchObject(refusal)
      }
    })
    expect(statements).toHaveLength(0)
  })

  it('writes to the rows that it keeps', async () => {
    await blog.db
      .transaction(async (tx) => {
        expect(await tx.posts.distinct('status').orderBy('-id').update({ title: 'first of its status' })).toBe(2)
        expect(await tx.posts.filter({ title: 'first of its status' }).orderBy('id').valuesList('id')).toEqual([11, 12])
        expect(await tx.posts.distinct().orderBy('title').limit(3).update({ title: 'x' })).toBe(3)
        throw new Error('undo')
      })
      .catch((error: Error) => expect(error.message).toBe('undo'))
  })

  it('is refused where a page would need it', async () => {
    await expect(dynamic(blog.db.posts).distinct('status').page({ size: 2 })).rejects.toMatchObject({
      code: 'PLIMSOLL_QUERY_INVALID',
    })
  })
})
