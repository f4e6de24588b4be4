import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dynamic } from '../../../src/db/dynamic.ts'
import { prefetch } from '../../../src/db/index.ts'
import { engines, openBlog, type Blog } from './open-blog.ts'

describe.each(engines)('querysets on %s', (engine) => {
  let blog: Blog
  beforeAll(async () => {
    blog = await openBlog(engine)
  })
  afterAll(() => blog.close())

  /** Runs `work`; resolves with its result and the statements it took. */
  const counted = <T>(work: () => PromiseLike<T>): Promise<{ result: T; statements: string[] }> => blog.counted(work)

  describe('reading rows', () => {
    it('gives all columns of all rows with one statement', async () => {
      const { result, statements } = await counted(() => blog.db.categories.orderBy('id'))
      expect(result).toEqual([1, 2, 3].map((id) => ({ id, name: `category ${id}` })))
      expect(statements).toHaveLength(1)
    })

    it('runs nothing before it is awaited, and every step leaves the queryset before it alone', async () => {
      const { result, statements } = await counted(async () => {
        const all = blog.db.categories
        all.filter({ id: 1 }).limit(1)
        return all.filter({ id: { gte: 2 } }).count()
      })
      expect(result).toBe(2)
      expect(statements).toHaveLength(1)
    })

    it('answers json() exactly as JSON.stringify of its rows would', async () => {
      const queryset = blog.db.posts
        .selectRelated('author', 'author.mentor', 'category')
        .prefetchRelated('tags', 'comments.author')
        .orderBy('id')
      const json = JSON.parse((await queryset.json()).toString()) as unknown
      expect(json).toEqual(JSON.parse(JSON.stringify(await queryset)))
      expect(json).toHaveLength(12)
    })

    it('first, one, find and get tell one row from none and from many', async () => {
      const { posts } = blog.db
      expect(await posts.orderBy('-id').first()).toMatchObject({ id: 12 })
      expect(await posts.filter({ id: -1 }).first()).toBeNull()
      expect(await posts.find(3)).toMatchObject({ slug: 'post-3' })
      expect(await posts.find(-3)).toBeNull()
      expect(await posts.get({ slug: 'post-4' })).toMatchObject({ id: 4 })
      await expect(posts.get(-1)).rejects.toMatchObject({ code: 'PLIMSOLL_NOT_FOUND' })
      await expect(posts.filter({ status: 'draft' }).one()).rejects.toMatchObject({ code: 'PLIMSOLL_NOT_UNIQUE' })
      expect(JSON.parse((await posts.find(3).json())!.toString())).toMatchObject({ slug: 'post-3' })
      expect(await posts.find(-3).json()).toBeNull()
    })

    it('first and one keep to a smaller limit, and to the offset', async () => {
      const { posts } = blog.db
      const { result, statements } = await counted(() => posts.orderBy('id').limit(1).one())
      expect(result).toMatchObject({ id: 1 })
      expect(statements).toHaveLength(1)
      expect(await posts.orderBy('id').limit(1).offset(2).one()).toMatchObject({ id: 3 })
      expect(await posts.orderBy('id').limit(5).first()).toMatchObject({ id: 1 })
      expect(await posts.limit(0).first()).toBeNull()
      expect(await posts.limit(0).first().json()).toBeNull()
      expect(JSON.parse((await posts.orderBy('-id').limit(1).one().json()).toString())).toMatchObject({ id: 12 })
      await expect(posts.limit(0).one()).rejects.toMatchObject({ code: 'PLIMSOLL_NOT_FOUND' })
      await expect(posts.limit(3).one()).rejects.toMatchObject({ code: 'PLIMSOLL_NOT_UNIQUE' })
    })

    it('finds rows of a composite primary key, and refuses half of one', async () => {
      expect(await blog.db.postTags.find({ postId: 1, tagId: 2 })).toEqual({ postId: 1, tagId: 2 })
      expect(() => blog.db.postTags.find({ postId: 1 })).toThrow(/primary key of 'postTags' is \{ postId, tagId \}/)
    })

    it('inBulk gives a map by key, without the keys that have no row', async () => {
      const found = await blog.db.users.inBulk([1, 3, 99])
      expect([...found.keys()].toSorted()).toEqual([1, 3])
      expect(found.get(3)).toMatchObject({ name: 'user 3' })
    })

    it('inBulk knows the key of rows that do not show it, with one statement', async () => {
      const { posts } = blog.db
      for (const queryset of [posts.only('title'), posts.defer('id'), posts.only('title', 'id').defer('id')]) {
        const { result, statements } = await counted(() => queryset.inBulk([2, 1, 99]))
        expect([...result.keys()].toSorted()).toEqual([1, 2])
        expect(result.get(2)).toMatchObject({ title: 'Post "2" ½' })
        expect(Object.keys(result.get(2)!)).not.toContain('id')
        expect(statements).toHaveLength(1)
      }
      const related = await posts.selectRelated('author').prefetchRelated('tags').only('author.name').inBulk([4])
      expect(related.get(4)).toMatchObject({ id: 4, author: { name: 'user 5' }, tags: [{ id: 2 }] })
      expect((await posts.only('id').inBulk([4])).get(4)).toEqual({ id: 4 })
    })

    it('inBulk refuses a key of several columns, and rows that are none', async () => {
      await expect(blog.db.postTags.inBulk([{ postId: 1, tagId: 2 } as never])).rejects.toMatchObject({
        code: 'PLIMSOLL_QUERY_INVALID',
        message: expect.stringMatching(/primary key of one column.*use filter\(\)/) as unknown,
      })
      await expect(dynamic(blog.db.posts).values('title').inBulk([1])).rejects.toMatchObject({
        code: 'PLIMSOLL_QUERY_INVALID',
      })
      await expect(dynamic(blog.db.posts).inBulk(undefined as never)).rejects.toMatchObject({
        code: 'PLIMSOLL_QUERY_INVALID',
      })
    })

    it('counts and looks for rows without reading them', async () => {
      const published = blog.db.posts.filter({ status: 'published' })
      expect(await published.count()).toBe(9)
      expect(await published.limit(4).count()).toBe(4)
      expect(await published.exists()).toBe(true)
      expect(await published.filter({ id: -1 }).exists()).toBe(false)
    })

    it('iterates in chunks, loading relations once per chunk', async () => {
      const { result, statements } = await counted(async () => {
        const seen: number[] = []
        for await (const post of blog.db.posts.prefetchRelated('tags').orderBy('id').iterate({ chunkSize: 5 })) {
          expect(Array.isArray(post.tags)).toBe(true)
          seen.push(post.id)
        }
        return seen
      })
      expect(result).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
      expect(statements.filter((text) => text.includes('"tags"') && text.startsWith('select'))).toHaveLength(3)
    })
  })

  describe('columns', () => {
    it('only and defer choose columns at every level, and ask the database for no others', async () => {
      const { result, statements } = await counted(() =>
        blog.db.posts.selectRelated('author').only('title', 'author.name').orderBy('id').limit(1),
      )
      expect(result).toEqual([{ title: 'Post "1" ½', author: { name: 'user 2' } }])
      expect(statements[0]).not.toContain('"meta"')
      const [deferred] = await blog.db.users.defer('country', 'mentorId').orderBy('id').limit(1)
      expect(deferred).toEqual({ id: 1, name: 'user 1' })
    })

    it('values gives flat records and valuesList arrays, a single path its values', async () => {
      const posts = blog.db.posts.orderBy('id').limit(2)
      expect(await posts.values('id', 'author.name')).toEqual([
        { id: 1, 'author.name': 'user 2' },
        { id: 2, 'author.name': 'user 3' },
      ])
      expect(await posts.valuesList('id', 'category.name')).toEqual([
        [1, 'category 1'],
        [2, 'category 2'],
      ])
      expect(await posts.valuesList('id')).toEqual([1, 2])
      expect(JSON.parse((await posts.valuesList('id').json()).toString())).toEqual([1, 2])
    })

    it('distinct leaves out repeated rows, or repeated values of the given paths', async () => {
      expect(await blog.db.posts.distinct().orderBy('status').valuesList('status')).toEqual(['draft', 'published'])
      const firsts = await blog.db.posts.distinct('status').orderBy('status', '-id')
      expect(firsts.map((post) => post.id)).toEqual([12, 11])
    })
  })

  describe('relations', () => {
    it('selectRelated joins to-one relations of any depth, with one statement', async () => {
      const { result, statements } = await counted(() =>
        blog.db.posts
          .selectRelated('author.mentor', 'category')
          .filter({ id: { in: [4, 5] } })
          .orderBy('id'),
      )
      expect(statements).toHaveLength(1)
      expect(result[0]!.category).toBeNull()
      expect(result[0]!.author.mentor).toMatchObject({ id: 4 })
      expect(result[1]!.author).toMatchObject({ id: 1, mentor: null })
    })

    it('prefetchRelated takes one statement per relation, whatever the number of rows', async () => {
      const load = (limit: number) => () =>
        blog.db.posts.prefetchRelated('tags', 'comments.author', 'author').orderBy('id').limit(limit)
      const few = await counted(load(2))
      const many = await counted(load(12))
      expect(few.statements).toHaveLength(5)
      expect(many.statements).toHaveLength(5)
      expect(many.result[0]!.tags.map((tag) => tag.id).toSorted()).toEqual([2])
      expect(many.result[0]!.author).toMatchObject({ id: 2 })
      expect(many.result.flatMap((post) => post.comments)).toHaveLength(30)
      expect(many.result[1]!.comments[0]!.author.id).toBe(many.result[1]!.comments[0]!.authorId)
    })

    it('asks for no children of no rows', async () => {
      const { result, statements } = await counted(() =>
        blog.db.posts.filter({ status: 'none' }).prefetchRelated('category', 'tags'),
      )
      expect(result).toEqual([])
      expect(statements).toHaveLength(1)
    })

    it.each([{ id: 4 }, { slug: 'post-4' }])('asks for the children of %o without waiting for it', async (filter) => {
      const { result, statements } = await counted(() =>
        blog.db.posts.filter(filter).prefetchRelated('tags', 'comments').first(),
      )
      expect(result!.tags.map((tag) => tag.id)).toEqual([2])
      expect(result!.comments).toHaveLength(3)
      expect(statements.filter((text) => text.startsWith('select'))).toHaveLength(3)
    })

    it('prefetch refines: filter, order, limit per parent, columns and another name', async () => {
      const posts = await blog.db.posts
        .prefetchRelated(
          prefetch('comments', (c) => c.filter({ approved: true }).orderBy('-id').limit(1).only('id', 'body'), {
            as: 'latest',
          }),
          'comments',
        )
        .orderBy('id')
      for (const post of posts) {
        const newest = post.comments.filter((comment) => comment.approved).toSorted((a, b) => b.id - a.id)[0]
        expect(post.latest).toEqual(newest ? [{ id: newest.id, body: newest.body }] : [])
      }
      expect(posts.filter((post) => post.latest.length > 0).length).toBeGreaterThan(5)
    })

    it('a limit per parent with an index on the key is a lateral join', async () => {
      const { result, statements } = await counted(() =>
        blog.db.posts.prefetchRelated(prefetch('comments', (c) => c.orderBy('-id').limit(2))).orderBy('id'),
      )
      expect(statements[1]).toMatch(/cross join lateral/)
      for (const post of result) {
        expect(post.comments).toEqual(await blog.db.comments.filter({ postId: post.id }).orderBy('-id').limit(2))
      }
    })

    it('a limit per parent without an index on the key ranks the rows', async () => {
      const { result, statements } = await counted(() =>
        blog.db.users.prefetchRelated(prefetch('comments', (c) => c.orderBy('-id').offset(1).limit(2))).orderBy('id'),
      )
      expect(statements[1]).toMatch(/row_number/)
      for (const user of result) {
        expect(user.comments).toEqual(
          await blog.db.comments.filter({ authorId: user.id }).orderBy('-id').offset(1).limit(2),
        )
      }
    })

    it('prefetches through joined relations, and joins what was prefetched before', async () => {
      const posts = await blog.db.posts.selectRelated('author').prefetchRelated('author.posts').filter({ id: 1 })
      expect(posts[0]!.author.posts.map((post) => post.id).toSorted((a, b) => a - b)).toEqual([1, 6, 11])
    })

    it("keeps to a relation's own predefined conditions", async () => {
      const post = await blog.db.posts.prefetchRelated('hidden', 'comments').orderBy('id')
      for (const { hidden, comments } of post) {
        expect(hidden).toHaveLength(comments.filter((comment) => !comment.approved).length)
      }
      expect(await blog.db.posts.filter({ hidden: { id: 3 } }).count()).toBe(1)
      expect(await blog.db.posts.filter({ hidden: { id: 4 } }).count()).toBe(0)
    })
  })
})
