import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dynamic, type AnyQuerySet } from '../../../src/db/dynamic.ts'
import { engines, openBlog, type Blog } from './open-blog.ts'

describe.each(engines)('pages on %s', (engine) => {
  let blog: Blog
  beforeAll(async () => {
    blog = await openBlog(engine)
  })
  afterAll(() => blog.close())

  const keysOf = (rows: readonly unknown[]): unknown[] => rows.map((row) => (row as { id: unknown }).id)

  /** Every row by following `next` from the start, and by following `previous` from the end. */
  async function walk(queryset: AnyQuerySet, size: number): Promise<{ forward: unknown[]; backward: unknown[] }> {
    const forward: unknown[] = []
    let after: string | null = null
    let last: string | null = null
    do {
      const page: Awaited<ReturnType<typeof queryset.page>> = await queryset.page({ size, after })
      expect(page.data.length).toBeLessThanOrEqual(size)
      expect(page.previous === null).toBe(after === null)
      forward.push(...keysOf(page.data))
      last = page.previous
      after = page.next
    } while (after !== null)
    const backward: unknown[] = forward.slice(
      forward.length - (forward.length % size || Math.min(size, forward.length)),
    )
    while (last !== null) {
      const page: Awaited<ReturnType<typeof queryset.page>> = await queryset.page({ size, before: last })
      expect(page.next).not.toBeNull()
      backward.unshift(...keysOf(page.data))
      last = page.previous
    }
    return { forward, backward }
  }

  const direction = fc.constantFrom('asc' as const, 'desc' as const)
  const nulls = fc.constantFrom('first' as const, 'last' as const)
  const columns = [
    'id',
    'status',
    'rating',
    'publishedAt',
    'views',
    'author.name',
    'category.name',
    'author.mentor.country',
    'author.id',
  ]
  const orders = fc.uniqueArray(fc.record({ by: fc.constantFrom(...columns), direction, nulls }), {
    selector: (item) => item.by,
    maxLength: 4,
  })

  it('a walk visits every row once, forwards and backwards, with ties, NULLs, mixed directions and equal microseconds', async () => {
    await fc.assert(
      fc.asyncProperty(orders, fc.integer({ min: 1, max: 7 }), async (order, size) => {
        const queryset = dynamic(blog.db.posts).orderBy(...order)
        const { forward, backward } = await walk(queryset, size)
        expect(backward).toEqual(forward)
        expect(forward.toSorted()).toEqual(keysOf(await blog.db.posts).toSorted())
        // The same order as one unbounded query, ties broken by the primary key.
        const direction = order.at(-1)?.direction ?? 'asc'
        const tie = order.some((item) => item.by === 'id') ? [] : [{ by: 'id', direction }]
        expect(forward).toEqual(keysOf(await dynamic(blog.db.posts).orderBy(...order, ...tie)))
      }),
      { numRuns: 60 },
    )
  })

  it('takes one statement per page, whatever the order', async () => {
    for (const order of [['-publishedAt'], ['rating', '-views'], ['category.name']]) {
      const queryset = dynamic(blog.db.posts)
        .selectRelated('author')
        .orderBy(...order)
      const first = await blog.counted(() => queryset.page({ size: 3 }))
      const second = await blog.counted(() => queryset.page({ size: 3, after: first.result.next }))
      const back = await blog.counted(() => queryset.page({ size: 3, before: second.result.previous }))
      expect([first, second, back].map(({ statements }) => statements.length)).toEqual([1, 1, 1])
      expect(back.result.data).toEqual(first.result.data)
    }
  })

  it('loads the relations of a page for its rows alone', async () => {
    const page = await blog.counted(() => blog.db.posts.prefetchRelated('comments').orderBy('-id').page({ size: 2 }))
    expect(page.statements).toHaveLength(2)
    expect(page.result.data.map((post) => post.comments.length)).toEqual([0, 0])
  })

  it('answers the JSON of a list, the same as its rows', async () => {
    for (const total of [undefined, 'exact', 'estimated'] as const) {
      const queryset = blog.db.posts.selectRelated('author').prefetchRelated('tags').orderBy('-publishedAt')
      const first = await queryset.page({ size: 4, total })
      const json = await queryset.page({ size: 4, total }).json()
      const { data, ...page } = first
      expect(JSON.parse(json.body.toString())).toEqual(JSON.parse(JSON.stringify({ data, page })))
      expect(json.next).toBe(first.next)
      const back = await queryset.page({ size: 4, after: first.next })
      const backJson = await queryset.page({ size: 4, before: back.previous }).json()
      expect(JSON.parse(backJson.body.toString())).toMatchObject({
        data: JSON.parse(JSON.stringify(data)) as unknown,
        page: { previous: null },
      })
    }
    expect(await blog.db.posts.page({ size: 5, total: 'exact' })).toMatchObject({ total: 12, size: 5 })
    expect(typeof (await blog.db.posts.page({ size: 5, total: 'estimated' })).total).toBe('number')
  })

  it('numbered pages know their neighbours, and join nothing that they skip', async () => {
    const queryset = blog.db.posts.selectRelated('author').orderBy('id')
    expect(await queryset.pageNumber({ page: 1, size: 5 })).toMatchObject({ next: 2, previous: null })
    const last = await blog.counted(() => queryset.pageNumber({ page: 3, size: 5, total: 'exact' }))
    expect(last.result).toMatchObject({ next: null, previous: 2, total: 12 })
    expect(keysOf(last.result.data)).toEqual([11, 12])
    expect(await queryset.pageNumber({ page: 9, size: 5 })).toMatchObject({ data: [], next: null })
    expect(last.statements.find((text) => text.includes('offset'))).toMatch(
      /from \(select .* offset .*\) as "posts" left join/,
    )
  })

  it.each([0, -1, 1.5, 10_001, Number.NaN, '3'])('refuses a page of size %o', async (size) => {
    await expect(dynamic(blog.db.posts).page({ size: size as number })).rejects.toMatchObject({
      code: 'PLIMSOLL_PAGE_INVALID',
    })
  })

  it.each(['nope', true, false, 0, '', 'Exact', {}])('refuses the total %o without SQL', async (total) => {
    const { statements } = await blog.counted(async () => {
      for (const page of [
        dynamic(blog.db.posts).page({ size: 2, total: total as never }),
        dynamic(blog.db.posts).pageNumber({ page: 1, size: 2, total: total as never }),
      ]) {
        await expect(page).rejects.toMatchObject({
          code: 'PLIMSOLL_PAGE_INVALID',
          message: expect.stringMatching(/'exact' or 'estimated'/) as unknown,
        })
      }
    })
    expect(statements).toHaveLength(0)
  })

  it('opens every cursor that it hands out, and refuses to make one that HTTP cannot carry', async () => {
    await blog.db
      .transaction(async (tx) => {
        // Rows in the order of their titles: from short ones to such as no cursor can hold.
        const lengths = [...Array.from({ length: 20 }, (_, i) => i * 300), 13_000]
        await tx.posts.createMany(
          lengths.map((length, i) => ({
            slug: `long ${i}`,
            title: `~${String(i).padStart(3, '0')}${'"é'.repeat(length / 2)}`,
            authorId: 1,
          })),
        )
        const titles = dynamic(tx.posts)
          .filter({ slug: { like: 'long %' } })
          .orderBy('title')
        let after: string | null = null
        let opened = 0
        let refusal: unknown
        while (refusal === undefined) {
          try {
            const page: Awaited<ReturnType<typeof titles.page>> = await titles.page({ size: 1, after })
            opened += page.data.length
            after = page.next
            expect(after!.length).toBeLessThan(8000)
          } catch (error) {
            refusal = error
          }
        }
        expect(opened).toBeGreaterThan(5)
        expect(refusal).toMatchObject({
          code: 'PLIMSOLL_QUERY_INVALID',
          message: expect.stringMatching(/'title'.*[0-9,]+ characters.*order by a shorter/i) as unknown,
        })
        throw new Error('undo')
      })
      .catch((error: Error) => expect(error.message).toBe('undo'))
  })

  it('an order walks the index that the schema declares for it', async () => {
    await blog.db.transaction(async (tx) => {
      await tx.drizzle.execute('set local enable_seqscan = off')
      await tx.drizzle.execute('set local enable_bitmapscan = off')
      for (const order of [['-publishedAt', '-id'], ['-publishedAt'], ['slug'], ['-slug'], ['-id'], ['id']]) {
        const plan = await dynamic(tx.posts)
          .orderBy(...order)
          .limit(3)
          .explain()
        expect(plan).toMatch(/Index Scan/)
        expect(plan).not.toMatch(/Sort/)
      }
      // NULLs come last either way.
      const dates = async (order: string): Promise<unknown[]> =>
        (await dynamic(tx.posts).orderBy(order).valuesList('publishedAt')).slice(-3)
      expect(await dates('publishedAt')).toEqual([null, null, null])
      expect(await dates('-publishedAt')).toEqual([null, null, null])
    })
  })

  it('refuses a page of no size', async () => {
    for (const page of [dynamic(blog.db.posts).page(), dynamic(blog.db.posts).pageNumber()]) {
      await expect(page).rejects.toMatchObject({ code: 'PLIMSOLL_PAGE_INVALID' })
    }
  })

  it('refuses both directions at once', async () => {
    const { next } = await blog.db.posts.page({ size: 2 })
    await expect(blog.db.posts.page({ size: 2, after: next, before: next })).rejects.toMatchObject({
      code: 'PLIMSOLL_PAGE_INVALID',
    })
  })

  it('a cursor opens only the list it was made for, and any change to it is refused without SQL', async () => {
    const { next } = await blog.db.posts.filter({ status: 'published' }).orderBy('-views').page({ size: 2 })
    const cursor = next!
    const others = [
      blog.db.posts.orderBy('-views'),
      blog.db.posts.filter({ status: 'draft' }).orderBy('-views'),
      blog.db.posts.filter({ status: 'published' }).orderBy('views'),
      blog.db.posts.filter({ status: 'published' }).orderBy('-rating'),
    ]
    const { statements } = await blog.counted(async () => {
      for (const queryset of others) {
        await expect(queryset.page({ size: 2, after: cursor })).rejects.toMatchObject({
          code: 'PLIMSOLL_CURSOR_INVALID',
        })
      }
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(
            fc.string({ unit: 'binary' }),
            fc.base64String(),
            fc
              .integer({ min: 0, max: cursor.length - 1 })
              .chain((at) =>
                fc.constantFrom(...'AZaz09-_ =').map((sign) => cursor.slice(0, at) + sign + cursor.slice(at + 1)),
              ),
            fc.integer({ min: 0, max: cursor.length - 1 }).map((length) => cursor.slice(0, length)),
          ),
          async (tampered) => {
            if (tampered === cursor) return
            const page = blog.db.posts
              .filter({ status: 'published' })
              .orderBy('-views')
              .page({ size: 2, after: tampered })
            await expect(page).rejects.toMatchObject({ code: 'PLIMSOLL_CURSOR_INVALID', status: 400 })
          },
        ),
        { numRuns: 300 },
      )
    })
    expect(statements).toHaveLength(0)
  })
})
