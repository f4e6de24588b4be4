import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dynamic, type AnyQuerySet } from '../../../src/db/dynamic.ts'
import { prefetch } from '../../../src/db/index.ts'
import { engines, openBlog, type Blog } from './open-blog.ts'

describe.each(engines)('steps on %s', (engine) => {
  let blog: Blog
  beforeAll(async () => {
    blog = await openBlog(engine)
  })
  afterAll(() => blog.close())

  describe('what is kept of them', () => {
    /** How many of these are still there after a garbage collection. */
    async function alive(references: readonly WeakRef<object>[]): Promise<number> {
      await setImmediate()
      globalThis.gc!()
      await setImmediate()
      return references.filter((reference) => reference.deref() !== undefined).length
    }

    it('is bounded, whichever querysets are held', async () => {
      const small = await openBlog(engine, { maxShapes: 100 })
      try {
        const held = [dynamic(small.db.posts), dynamic(small.db.posts).filter({ status: 'published' })]
        const shapes: WeakRef<object>[] = []
        for (let i = 0; i < 5000; i++) {
          const queryset = held[i % held.length]!.limit(i)
          shapes.push(new WeakRef(queryset.shape))
          // A queryset that is held and then left alone keeps nothing either.
          if (i % 500 === 0) held.push(queryset)
        }
        expect(await alive(shapes)).toBeLessThanOrEqual(100 + held.length)
        expect((await held[1]!.orderBy('id').limit(2)).map((post) => post['id'])).toEqual([1, 2])
      } finally {
        await small.close()
      }
    })

    it('is bounded for statements too', async () => {
      const small = await openBlog(engine, { maxShapes: 100 })
      try {
        const held = dynamic(small.db.posts).orderBy('id')
        const plans: WeakRef<object>[] = []
        for (let size = 1; size <= 400; size++) {
          await held.page({ size })
          plans.push(new WeakRef(held.shape.compiled(`page ${size} after `, () => ({}))))
        }
        expect(await alive(plans)).toBeLessThanOrEqual(100)
        expect((await held.page({ size: 2 })).data).toHaveLength(2)
      } finally {
        await small.close()
      }
    })

    it('serves the same chain of calls again', () => {
      const chain = (): AnyQuerySet =>
        dynamic(blog.db.posts).filter({ id: 1 }).only('id', 'title').orderBy('-id').limit(3)
      expect(chain().shape).toBe(chain().shape)
    })
  })

  describe('what they are known by', () => {
    const refused = (call: () => unknown): void =>
      expect(call).toThrow(expect.objectContaining({ code: expect.stringMatching(/^PLIMSOLL_/) as string }) as Error)

    it('tells one path with a comma from two paths', () => {
      const posts = dynamic(blog.db.posts)
      posts.only('id', 'title')
      posts.defer('id', 'title')
      posts.values('id', 'title')
      posts.valuesList('id', 'title')
      posts.orderBy('id', 'title')
      posts.distinct('id', 'title')
      posts.selectRelated('author', 'category')
      refused(() => posts.only('id,title'))
      refused(() => posts.defer('id,title'))
      refused(() => posts.values('id,title'))
      refused(() => posts.valuesList('id,title'))
      refused(() => posts.orderBy('id,title'))
      refused(() => posts.distinct('id,title'))
      refused(() => posts.selectRelated('author,category'))
    })

    it('tells an order as text from one as an object', () => {
      const posts = dynamic(blog.db.posts)
      posts.orderBy({ by: 'id', direction: 'desc', nulls: 'first' }, { by: 'title' })
      for (const text of [
        '["id","desc","first"],["title",null,null]',
        '["id","desc","first"]',
        '["title",null,null]',
        '-id[first',
        'title[last',
        '-id[first,title[last',
      ]) {
        refused(() => posts.orderBy(text))
      }
      posts.orderBy('-id', 'title')
      for (const item of [
        { by: '-id' },
        { by: ['id'] },
        { by: 'id', direction: '' },
        { by: 'id', nulls: 'undefined' },
      ]) {
        refused(() => posts.orderBy(item as never))
      }
      expect(posts.orderBy({ by: 'id', direction: 'desc' }).shape).toBe(posts.orderBy('-id').shape)
      expect(posts.orderBy({ by: 'id', nulls: 'first' }).shape).not.toBe(posts.orderBy('id').shape)
    })

    it('tells a refined prefetch from a path that looks like one', async () => {
      const refined = blog.db.posts.prefetchRelated(prefetch('tags', (tags) => tags.filter({ id: 2 }), { as: 'some' }))
      const id = dynamic(blog.db.tags).filter({ id: 2 }).shape.id
      for (const text of [`tags some ${id}`, `${id},tags,some`, `tags,${id},some`]) {
        refused(() => dynamic(blog.db.posts).prefetchRelated(text))
      }
      expect((await refined.get(1)).some.map((tag) => tag.id)).toEqual([2])
    })
  })

  describe('arguments that are none', () => {
    const refined = prefetch as unknown as (path: unknown, refine: unknown) => never
    it.each<[string, (posts: AnyQuerySet) => unknown, string]>([
      ['orderBy(undefined)', (posts) => posts.orderBy(undefined as never), 'PLIMSOLL_ORDER_INVALID'],
      ['orderBy(null)', (posts) => posts.orderBy(null as never), 'PLIMSOLL_ORDER_INVALID'],
      ['orderBy(5)', (posts) => posts.orderBy(5 as never), 'PLIMSOLL_ORDER_INVALID'],
      ['orderBy(list)', (posts) => posts.orderBy(['id'] as never), 'PLIMSOLL_ORDER_INVALID'],
      ['orderBy({})', (posts) => posts.orderBy({} as never), 'PLIMSOLL_ORDER_INVALID'],
      ['only(undefined)', (posts) => posts.only(undefined as never), 'PLIMSOLL_QUERY_INVALID'],
      ['only(list)', (posts) => posts.only(['id', 'title'] as never), 'PLIMSOLL_QUERY_INVALID'],
      ['defer(null)', (posts) => posts.defer(null as never), 'PLIMSOLL_QUERY_INVALID'],
      ['values(1)', (posts) => posts.values(1 as never), 'PLIMSOLL_QUERY_INVALID'],
      ['distinct({})', (posts) => posts.distinct({} as never), 'PLIMSOLL_QUERY_INVALID'],
      ['selectRelated(undefined)', (posts) => posts.selectRelated(undefined as never), 'PLIMSOLL_QUERY_INVALID'],
      ['prefetchRelated(undefined)', (posts) => posts.prefetchRelated(undefined as never), 'PLIMSOLL_QUERY_INVALID'],
      ['prefetchRelated({})', (posts) => posts.prefetchRelated({} as never), 'PLIMSOLL_QUERY_INVALID'],
      [
        'prefetch(undefined)',
        (posts) => posts.prefetchRelated(refined(undefined, (rows: unknown) => rows)),
        'PLIMSOLL_QUERY_INVALID',
      ],
      [
        'prefetch without a function',
        (posts) => posts.prefetchRelated(refined('tags', undefined)),
        'PLIMSOLL_QUERY_INVALID',
      ],
      [
        'prefetch of nothing',
        (posts) => posts.prefetchRelated(refined('tags', () => undefined)),
        'PLIMSOLL_QUERY_INVALID',
      ],
      ['filter(undefined)', (posts) => posts.filter(undefined), 'PLIMSOLL_FILTER_INVALID'],
      ['limit(null)', (posts) => posts.limit(null as never), 'PLIMSOLL_QUERY_INVALID'],
    ])('%s', (_name, call, code) => {
      expect(() => call(dynamic(blog.db.posts))).toThrow(expect.objectContaining({ code }) as Error)
    })
  })
})
