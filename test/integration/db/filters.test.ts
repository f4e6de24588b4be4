import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dynamic } from '../../../src/db/dynamic.ts'
import { posts } from './blog.ts'
import { engines, openBlog, type Blog } from './open-blog.ts'

describe.each(engines)('filters on %s', (engine) => {
  let blog: Blog
  beforeAll(async () => {
    blog = await openBlog(engine)
  })
  afterAll(() => blog.close())

  const ids = (filter: object): Promise<unknown[]> =>
    Promise.resolve(
      dynamic(blog.db.posts)
        .filter(filter)
        .orderBy('id')
        .then((rows) => rows.map((row) => row.id)),
    )

  it.each<[object, number[]]>([
    [{ id: 3 }, [3]],
    [{ id: { eq: 3 } }, [3]],
    [{ id: { ne: 3 }, status: 'draft' }, [4, 8, 12]],
    [{ id: { gt: 2, lte: 4 } }, [3, 4]],
    [{ id: { in: [1, 2, 99] } }, [1, 2]],
    [{ id: { in: [] } }, []],
    [{ id: { notIn: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] } }, [11, 12]],
    [{ rating: null }, [5, 10]],
    [{ rating: { isNull: true } }, [5, 10]],
    [{ rating: { in: [1, null] } }, [1, 5, 6, 10, 11]],
    [{ rating: { isNotNull: true }, id: { lt: 3 } }, [1, 2]],
    [{ title: { like: 'Post "1%' } }, [1, 10, 11, 12]],
    [{ title: { ilike: 'POST "2%' } }, [2]],
    [{ title: { notLike: '%1%' }, id: { lt: 4 } }, [2, 3]],
    [{ OR: [{ id: 1 }, { id: { gte: 12 } }] }, [1, 12]],
    [{ AND: [{ status: 'draft' }, { id: { gt: 4 } }] }, [8, 12]],
    [{ NOT: { id: { gt: 2 } } }, [1, 2]],
    [{ id: { OR: [{ lt: 2 }, { gt: 11 }] } }, [1, 12]],
    [{ id: { NOT: { gt: 2 } } }, [1, 2]],
    [{ author: { country: 'SE' } }, [2, 7, 12]],
    [{ author: { mentor: { name: 'user 1' } } }, [1, 6, 11]],
    [{ category: false }, [4, 8, 12]],
    [{ category: true, id: { lt: 3 } }, [1, 2]],
    [{ tags: { label: 'tag 4' } }, [2, 5, 8, 11]],
    [{ comments: { author: { id: 1 } } }, [1, 6]],
    [{ NOT: { comments: true } }, [11, 12]],
    [{ views: { gte: 110 } }, [11, 12]],
    [{ publishedAt: { lt: new Date('2026-01-01T00:00:00.001Z') }, id: { lt: 3 } }, [1, 2]],
    [{ RAW: (table: typeof posts) => sql`${table.id} % ${5} = 0` }, [5, 10]],
    [{ RAW: sql`${posts.id} = ${7}` }, [7]],
    [{ author: { RAW: (table: { id: unknown }) => sql`${table.id} = ${1}` } }, [5, 10]],
  ])('%o', async (filter, expected) => {
    expect(await ids(filter)).toEqual(expected)
  })

  it('exclude keeps exactly the rows that filter leaves out, those with NULLs too', async () => {
    const all = await blog.db.posts.valuesList('id')
    for (const filter of [{ rating: 1 }, { category: { name: 'category 1' } }, { publishedAt: { gt: new Date(0) } }]) {
      const kept = await blog.db.posts.filter(filter).valuesList('id')
      const left = await blog.db.posts.exclude(filter).valuesList('id')
      expect([...kept, ...left].toSorted((a, b) => a - b)).toEqual(all.toSorted((a, b) => a - b))
    }
  })

  it('exclude of nothing leaves out nothing, and so does NOT of nothing', async () => {
    for (const nothing of [{}, { AND: [{}] }, { AND: [{}, { AND: [{}] }] }, { OR: [{}] }]) {
      const { result, statements } = await blog.counted(() => dynamic(blog.db.posts).exclude(nothing))
      expect(result).toHaveLength(12)
      expect(statements).toHaveLength(1)
      expect(await dynamic(blog.db.posts).filter({ NOT: nothing }).count()).toBe(12)
      expect(await dynamic(blog.db.posts).filter(nothing).count()).toBe(12)
    }
    expect(await blog.db.posts.exclude({ category: {} }).orderBy('id').valuesList('id')).toEqual([4, 8, 12])
  })

  it('a filter on a relation that is joined anyway uses the join', async () => {
    const { result, statements } = await blog.counted(() =>
      blog.db.posts
        .selectRelated('author')
        .filter({ author: { country: 'SE' } })
        .orderBy('id')
        .values('id'),
    )
    expect(result.map((row) => row.id)).toEqual([2, 7, 12])
    const joined = await blog.counted(() =>
      blog.db.posts
        .selectRelated('author')
        .filter({ author: { country: 'SE' } })
        .orderBy('id'),
    )
    expect(joined.result.map((row) => row.id)).toEqual([2, 7, 12])
    expect(joined.statements[0]).toContain('inner join')
    expect(joined.statements[0]).not.toContain('exists')
    expect(statements).toHaveLength(1)
  })

  it('orders through relations, with NULLs where they are asked for', async () => {
    const order = (nulls: 'first' | 'last') =>
      blog.db.posts.orderBy({ by: 'category.name', direction: 'desc', nulls }, 'id').valuesList('id')
    expect(await order('first')).toEqual([4, 8, 12, 3, 7, 11, 2, 6, 10, 1, 5, 9])
    expect(await order('last')).toEqual([3, 7, 11, 2, 6, 10, 1, 5, 9, 4, 8, 12])
  })

  it.each<[object, string, RegExp]>([
    [{ titel: 1 }, 'PLIMSOLL_FIELD_UNKNOWN', /Unknown field 'titel' in a filter of 'posts'.*'title'/],
    [{ constructor: 1 }, 'PLIMSOLL_FIELD_UNKNOWN', /'constructor'/],
    [{ id: { near: 1 } }, 'PLIMSOLL_OPERATOR_UNKNOWN', /Unknown operator 'near'.*'gte'/],
    [{ id: { toString: 1 } }, 'PLIMSOLL_OPERATOR_UNKNOWN', /'toString'/],
    [{ id: undefined }, 'PLIMSOLL_FILTER_INVALID', /is undefined; leave the field out/],
    [{ id: { in: 3 } }, 'PLIMSOLL_FILTER_INVALID', /takes a list/],
    [{ id: { gt: null } }, 'PLIMSOLL_FILTER_INVALID', /use isNull or isNotNull/],
    [{ id: {} }, 'PLIMSOLL_FILTER_INVALID', /is empty/],
    [{ OR: [] }, 'PLIMSOLL_FILTER_INVALID', /at least one/],
    [{ id: { like: '1%' } }, 'PLIMSOLL_OPERATOR_UNKNOWN', /compares text/],
    [{ author: { nme: 'x' } }, 'PLIMSOLL_FIELD_UNKNOWN', /'nme' in a filter of 'users'/],
    [{ RAW: 'id = 1' }, 'PLIMSOLL_FILTER_INVALID', /takes Drizzle SQL/],
  ])('refuses %o before any SQL', async (filter, code, message) => {
    const { result, statements } = await blog.counted(async () => {
      try {
        await dynamic(blog.db.posts).filter(filter)
      } catch (error) {
        return error as Error
      }
      throw new Error('was not refused')
    })
    expect(result).toMatchObject({ code, message: expect.stringMatching(message) as unknown })
    expect(statements).toHaveLength(0)
  })

  it('refuses filters nested without end', () => {
    let filter: object = { id: 1 }
    for (let i = 0; i < 30; i++) filter = { NOT: filter }
    expect(() => blog.db.posts.filter(filter)).toThrow(/nested more than/)
  })

  it('hostile strings are values wherever a string is taken, never SQL', async () => {
    const hostile = fc.oneof(
      fc.constantFrom(
        `'; drop table posts; --`,
        `" or "1"="1`,
        `\\'; select 1`,
        `$1`,
        `%`,
        `{"a":1}`,
        `__plimsoll_table__`,
        `');--`,
      ),
      fc
        .string({ unit: 'binary', maxLength: 40 })
        .map((text) => text.replaceAll('\u0000', ''))
        .filter((text) => text.isWellFormed()),
    )
    await fc.assert(
      fc.asyncProperty(hostile, async (text) => {
        expect(await ids({ slug: text })).toEqual([])
        expect(await ids({ slug: { in: [text, 'post-1'] } })).toEqual([1])
        await ids({ title: { like: text } }).catch((error: { code: string }) =>
          expect(error.code).toMatch(/^PLIMSOLL_(VALUE|STATEMENT)/),
        )
        expect(await ids({ RAW: () => sql`${text}::text = ${'never'}` })).toEqual([])
        for (const call of [
          () => dynamic(blog.db.posts).filter({ [`${text}!`]: 1 }),
          () => dynamic(blog.db.posts).filter({ id: { [`${text}!`]: 1 } }),
          () => dynamic(blog.db.posts).orderBy(`${text}!`),
          () => dynamic(blog.db.posts).only(`${text}!`),
          () => dynamic(blog.db.posts).values(`${text}!`),
          () => dynamic(blog.db.posts).selectRelated(`${text}!`),
          () => dynamic(blog.db.posts).prefetchRelated(`${text}!`),
          () => dynamic(blog.db.posts).distinct(`${text}!`),
        ]) {
          expect(call).toThrow(
            expect.objectContaining({ code: expect.stringMatching(/^PLIMSOLL_/) as unknown }) as Error,
          )
        }
      }),
      { numRuns: 60 },
    )
    expect(await blog.db.posts.count()).toBe(12)
  })
})
