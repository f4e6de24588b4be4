import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { prefetch } from '../../../src/db/index.ts'
import { engines, openBlog, type Blog } from './open-blog.ts'

describe.each(engines)('explain on %s', (engine) => {
  let blog: Blog
  beforeAll(async () => {
    blog = await openBlog(engine)
  })
  afterAll(() => blog.close())

  /** The parts of an explanation: the heading of each ('' for the first), its SQL, and its plan. */
  function parts(text: string): { heading: string; sql: string; plan: string }[] {
    return text.split(/\n\n/).map((part) => {
      const lines = part.split('\n')
      const heading = lines[0]!.startsWith('--') ? lines.shift()! : ''
      const sql = lines.filter((line) => !line.startsWith('  '))
      return { heading, sql: sql.join('\n'), plan: lines.filter((line) => line.startsWith('  ')).join('\n') }
    })
  }

  const many = () =>
    blog.db.posts
      .filter({ views: { gte: 20 } })
      .selectRelated('author')
      .prefetchRelated(
        'tags',
        'author.posts',
        prefetch('comments', (c) => c.orderBy('-id').limit(2), { as: 'latest' }),
      )
      .prefetchRelated('comments.author')
      .orderBy('id')

  it('shows a plan for every statement, headed by the path of its prefetch', async () => {
    const { result, statements } = await blog.counted(() => many().explain())
    const all = parts(result)
    expect(all.map(({ heading }) => heading.replace(/,.*/, ''))).toEqual([
      '',
      '-- prefetch author.posts',
      '-- prefetch tags',
      '-- prefetch latest',
      '-- prefetch comments',
      '-- prefetch comments.author',
    ])
    for (const { sql, plan } of all) {
      expect(sql).toMatch(/^select /)
      expect(plan).toMatch(/cost=/)
      expect(plan).not.toMatch(/actual|One-Time Filter: false/)
    }
    // Nothing but EXPLAIN has run.
    expect(statements.filter((text) => text.startsWith('select'))).toEqual([])
    expect(statements.filter((text) => text.startsWith('explain'))).toHaveLength(6)
  })

  it('analyze runs every statement, prefetches with the keys of the rows that were loaded', async () => {
    const { result, statements } = await blog.counted(() => many().explain({ analyze: true }))
    const all = parts(result)
    expect(all).toHaveLength(6)
    for (const { plan } of all) expect(plan).toMatch(/actual/)
    // The keys were those of rows, so that rows were found.
    expect(all.find(({ heading }) => heading.startsWith('-- prefetch comments,'))!.plan).toMatch(
      /actual [^)]*rows=[1-9]/,
    )
    expect(statements.filter((text) => text.startsWith('explain (analyze'))).toHaveLength(6)
    // Each once for its keys, and once under EXPLAIN.
    expect(statements.filter((text) => text.startsWith('select'))).toHaveLength(6)
  })

  it('says of a prefetch that no row needs that it does not run', async () => {
    const text = await blog.db.posts
      .filter({ status: 'none' })
      .prefetchRelated('category.posts')
      .explain({ analyze: true })
    const all = parts(text)
    expect(all.map(({ heading }) => heading)).toEqual([
      '',
      expect.stringMatching(/^-- prefetch category, .*not run/),
      expect.stringMatching(/^-- prefetch category\.posts, .*not run/),
    ])
    expect(all[1]!.sql).toMatch(/^select /)
  })

  it.each([{ id: 4 }, { slug: 'post-4' }])('explains children that do not wait for %o', async (filter) => {
    for (const analyze of [false, true]) {
      const all = parts(
        await blog.db.posts.filter(filter).prefetchRelated('tags', 'comments.author').explain({ analyze }),
      )
      expect(all).toHaveLength(4)
      for (const { plan } of all) expect(plan).toMatch(analyze ? /actual/ : /cost=/)
    }
  })

  it('leaves a transaction that it is called in as it was', async () => {
    await blog.db.transaction(async (tx) => {
      const rows = async (text: string): Promise<unknown> =>
        ((await tx.drizzle.execute(text)) as { rows: unknown }).rows
      const setting = (): Promise<unknown> => rows('show plan_cache_mode')
      const before = await setting()
      expect(parts(await tx.posts.prefetchRelated('tags').explain())).toHaveLength(2)
      expect(parts(await tx.posts.prefetchRelated('tags').explain({ analyze: true }))).toHaveLength(2)
      expect(await setting()).toEqual(before)
      expect(await rows(`select name from pg_prepared_statements where name like '%explain%'`)).toEqual([])
      expect(await tx.posts.count()).toBe(12)
    })
  })

  it('explains values and lists, which have no prefetches', async () => {
    expect(parts(await blog.db.posts.values('title', 'author.name').explain())).toHaveLength(1)
    expect(parts(await blog.db.posts.valuesList('title').limit(2).explain({ analyze: true }))).toHaveLength(1)
  })
})
