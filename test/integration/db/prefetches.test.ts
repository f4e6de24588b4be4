import { defineRelations, sql } from 'drizzle-orm'
import { boolean, index, integer, pgTable, text } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dynamic, type AnyQuerySet } from '../../../src/db/dynamic.ts'
import { prefetch } from '../../../src/db/index.ts'
import { RefinedPrefetch } from '../../../src/db/prefetch.ts'
import { engines, open, openBlog, type Blog, type Opened } from './open-blog.ts'

/** A refined relation whose types are not known. */
function refined(path: string, refine: (rows: AnyQuerySet) => AnyQuerySet, as?: string): RefinedPrefetch {
  return new RefinedPrefetch(path, refine, as)
}

describe.each(engines)('prefetches on %s', (engine) => {
  let blog: Blog
  beforeAll(async () => {
    blog = await openBlog(engine)
  })
  afterAll(() => blog.close())

  const rows = (model: 'posts' | 'users' | 'tags' | 'comments'): AnyQuerySet => dynamic(blog.db[model]).orderBy('id')

  const refusal = (message: RegExp): object => ({
    code: 'PLIMSOLL_QUERY_INVALID',
    message: expect.stringMatching(message) as unknown,
  })

  // Every way that children are found: by an index one parent at a time or all at once, through a junction or not.
  describe.each([
    ['posts', 'comments', 'post'],
    ['users', 'comments', 'author'],
    ['posts', 'tags', 'posts'],
    ['tags', 'posts', 'tags'],
    ['posts', 'author', 'posts'],
  ] as const)('of %s with their %s', (model, relation, inverse) => {
    const child = relation === 'author' ? 'users' : relation
    const own = { posts: 'status', users: 'country', tags: 'label', comments: 'approved' }[child]

    const steps: Readonly<Record<string, (rows: AnyQuerySet) => AnyQuerySet>> = {
      'a limit': (all) => all.orderBy('-id').limit(1),
      'an offset': (all) => all.orderBy('id').offset(1),
      'an offset and a limit': (all) => all.orderBy('-id').offset(1).limit(2),
      'an offset without an order of any use': (all) => all.orderBy(own, 'id').offset(2),
      'distinct rows': (all) => all.only(own).orderBy(own).distinct(),
      'distinct rows and a limit': (all) => all.only(own).orderBy(`-${own}`).distinct().limit(2),
      'distinct rows and an offset': (all) => all.only(own).orderBy(own).distinct().offset(1),
      'the first of each': (all) => all.orderBy(own, '-id').distinct(own),
      'the first of each and a limit': (all) => all.orderBy(`-${own}`, 'id').distinct(own).limit(2),
      'the first of each and an offset': (all) => all.orderBy(own, 'id').distinct(own).offset(1).limit(1),
      'the first of each by a key that is not shown': (all) => all.only('id').orderBy(own, 'id').distinct(own).limit(2),
    }

    it.each(Object.entries(steps))('%s is per parent', async (_name, step) => {
      const { result, statements } = await blog.counted(() => rows(model).prefetchRelated(refined(relation, step)))
      expect(statements).toHaveLength(2)
      for (const parent of result) {
        const expected = await step(dynamic(blog.db[child]).filter({ [inverse]: { id: parent['id'] } }))
        expect(parent[relation]).toEqual(relation === 'author' ? (expected[0] ?? null) : expected)
      }
    })

    it('all columns can be left out', async () => {
      const columns = [...rows(child).model.columns.keys()]
      for (const step of [
        (all: AnyQuerySet) => all.defer(...columns),
        (all: AnyQuerySet) =>
          all
            .defer(...columns)
            .orderBy('id')
            .limit(2),
        (all: AnyQuerySet) => all.defer(...columns).distinct(),
      ]) {
        const queryset = rows(model).prefetchRelated(refined(relation, step))
        const { result, statements } = await blog.counted(() => queryset)
        expect(statements).toHaveLength(2)
        for (const parent of result) {
          const expected = await step(dynamic(blog.db[child]).filter({ [inverse]: { id: parent['id'] } }))
          expect(parent[relation]).toEqual(relation === 'author' ? (expected[0] ?? null) : expected)
        }
        expect(JSON.parse((await queryset.json()).toString())).toEqual(JSON.parse(JSON.stringify(result)))
      }
    })
  })

  describe('of one row, by its key or another unique one', () => {
    it.each([{ id: 4 }, { slug: 'post-4' }])('%o', async (filter) => {
      const step = (all: AnyQuerySet): AnyQuerySet => all.orderBy('approved', '-id').distinct('approved').offset(1)
      const queryset = rows('posts').filter(filter).prefetchRelated(refined('comments', step))
      const { result, statements } = await blog.counted(() => queryset)
      expect(result[0]!['comments']).toEqual(await step(rows('comments').filter({ postId: 4 })))
      expect(statements.filter((statement) => statement.startsWith('select'))).toHaveLength(2)
    })
  })

  describe('beside joins', () => {
    it('a joined relation can be loaded in another way under another name', async () => {
      const { result, statements } = await blog.counted(() =>
        blog.db.posts
          .selectRelated('author')
          .prefetchRelated(prefetch('author', (authors) => authors.filter({ country: 'SE' }), { as: 'se' }))
          .orderBy('id'),
      )
      expect(statements).toHaveLength(2)
      for (const post of result) {
        expect(post.author.id).toBe(post.authorId)
        expect(post.se).toEqual(post.author.country === 'SE' ? post.author : null)
      }
      expect(new Set(result.map((post) => post.se === null))).toEqual(new Set([true, false]))
      const deep = await rows('comments')
        .selectRelated('post.author')
        .prefetchRelated(refined('post.author', (authors) => authors.only('name'), 'written'))
      const { author, written } = deep[0]!['post'] as { author: { name: string }; written: unknown }
      expect(written).toEqual({ name: author.name })
    })

    it('a joined relation is not refined, and a refined one not joined', () => {
      const named = refined('author', (authors) => authors.only('name'))
      const message = /'author' of 'posts' is joined by selectRelated.*\{ as \}/
      expect(() => rows('posts').selectRelated('author').prefetchRelated(named)).toThrow(
        expect.objectContaining(refusal(message)) as Error,
      )
      expect(() => rows('posts').prefetchRelated(named).selectRelated('author')).toThrow(
        expect.objectContaining(refusal(message)) as Error,
      )
      expect(() => rows('posts').prefetchRelated(named).selectRelated('author.mentor')).toThrow(
        expect.objectContaining(refusal(message)) as Error,
      )
    })

    it('no prefetch takes the name of a joined relation, a column or another prefetch', () => {
      const named = (as: string): RefinedPrefetch => refined('comments', (comments) => comments.limit(1), as)
      const taken = (why: RegExp): Error => expect.objectContaining(refusal(why)) as Error
      const joined = taken(/'category' of 'posts' is joined by selectRelated.*\{ as \}/)
      expect(() => rows('posts').selectRelated('category').prefetchRelated(named('category'))).toThrow(joined)
      expect(() => rows('posts').prefetchRelated(named('category')).selectRelated('category')).toThrow(joined)
      expect(() => rows('posts').prefetchRelated(named('title'))).toThrow(taken(/'title' of 'posts' is a column/))
      const prefetched = taken(/'tags' of 'posts' is prefetched already, from 'tags'/)
      expect(() => rows('posts').prefetchRelated('tags', named('tags'))).toThrow(prefetched)
      const renamed = taken(/'tags' of 'posts' is prefetched already, from 'comments'/)
      expect(() => rows('posts').prefetchRelated(named('tags'), 'tags')).toThrow(renamed)
      expect(() => rows('posts').prefetchRelated(named('tags'), 'tags.posts')).toThrow(renamed)
    })

    it('what was prefetched of a relation moves to its join, at any depth', async () => {
      for (const queryset of [
        rows('posts').prefetchRelated('author.mentor.posts', 'author.comments').selectRelated('author.mentor'),
        rows('posts')
          .selectRelated('author')
          .prefetchRelated('author.mentor.posts', 'author.comments')
          .selectRelated('author.mentor'),
        rows('posts')
          .selectRelated('author.mentor')
          .prefetchRelated(refined('author', (authors) => authors.prefetchRelated('mentor.posts', 'comments'))),
      ]) {
        const { result, statements } = await blog.counted(() => queryset)
        expect(statements).toHaveLength(3)
        const json = (await queryset.json()).toString()
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(result)))
        expect(json.match(/"author":/g)).toHaveLength(12)
        expect(json.match(/"mentor":/g)).toHaveLength(12)
        for (const post of result) {
          const author = post['author'] as {
            id: number
            mentor: { id: number; posts: unknown[] } | null
            comments: unknown[]
          }
          expect(author.comments).toHaveLength(6)
          if (author.mentor) {
            expect(author.mentor.posts).toHaveLength(await rows('posts').filter({ authorId: author.mentor.id }).count())
          }
        }
      }
    })
  })

  describe('of the same relation', () => {
    const two = (queryset: AnyQuerySet): Promise<{ result: Record<string, unknown>[]; statements: string[] }> =>
      blog.counted(() => queryset)

    it('are one, whatever the order in which they load more', async () => {
      const nested = refined('comments', (comments) => comments.prefetchRelated('author'))
      const narrow = refined('comments', (comments) => comments.only('id', 'authorId').orderBy('id'))
      for (const items of [
        ['comments.author', nested],
        [nested, 'comments.author'],
        [nested, nested],
        ['comments', nested, 'comments'],
      ]) {
        const queryset = rows('posts').prefetchRelated(...items)
        const { result, statements } = await two(queryset)
        expect(statements).toHaveLength(3)
        expect((await queryset.json()).toString().match(/"author":/g)).toHaveLength(30)
        const comments = result.flatMap((post) => post['comments'] as { authorId: number; author: { id: number } }[])
        for (const comment of comments) expect(comment.author.id).toBe(comment.authorId)
      }
      for (const items of [
        ['comments.author', narrow],
        [narrow, nested],
        [nested, narrow],
        [narrow, 'comments.author'],
      ]) {
        const { result, statements } = await two(rows('posts').prefetchRelated(...items))
        expect(statements).toHaveLength(3)
        expect((result[1]!['comments'] as object[])[0]).toEqual({
          id: 1,
          authorId: 2,
          author: expect.objectContaining({ id: 2 }) as unknown,
        })
      }
    })

    it('keep the values of their filters apart', async () => {
      const approved = refined('comments', (all) =>
        all
          .filter({ approved: true })
          .prefetchRelated(refined('author', (authors) => authors.filter({ country: 'SE' }))),
      )
      const { result, statements } = await two(
        rows('posts')
          .filter({ status: 'published' })
          .prefetchRelated('comments.post', approved, 'tags')
          .filter({ id: { gt: 4 } }),
      )
      expect(statements).toHaveLength(5)
      expect(result.map((post) => post['id'])).toEqual([5, 6, 7, 9, 10, 11])
      const comments = result.flatMap((post) => post['comments'] as Record<string, never>[])
      expect(comments.length).toBeGreaterThan(5)
      for (const { approved: is, post, postId, author, authorId } of comments) {
        expect(is).toBe(true)
        expect(post).toMatchObject({ id: postId })
        if (author === null) expect(await rows('users').filter({ id: authorId, country: 'SE' }).count()).toBe(0)
        else expect(author).toMatchObject({ id: authorId, country: 'SE' })
      }
    })

    it.each<[string, (rows: AnyQuerySet) => AnyQuerySet]>([
      ['a filter', (all) => all.filter({ id: 1 })],
      ['an order', (all) => all.orderBy('-id')],
      ['a limit', (all) => all.limit(1)],
      ['an offset', (all) => all.offset(1)],
      ['distinct', (all) => all.distinct()],
      ['columns', (all) => all.only('id')],
      ['values', (all) => all.valuesList('id')],
    ])('are refused when each has %s', async (_name, step) => {
      const item = refined('comments', step)
      expect(() =>
        rows('posts').prefetchRelated(
          item,
          refined('comments', (all) => all.limit(2)),
        ),
      ).toThrow(expect.objectContaining(refusal(/'comments' of 'posts' is prefetched already.*\{ as \}/)) as Error)
      // One of them is kept beside a plain one.
      const alone = await rows('posts').prefetchRelated(item)
      expect(await rows('posts').prefetchRelated('comments', item)).toEqual(alone)
      expect(await rows('posts').prefetchRelated(item, 'comments')).toEqual(alone)
    })

    it('cannot load more into rows of values', () => {
      expect(() =>
        rows('posts').prefetchRelated(
          refined('comments', (all) => all.values('id')),
          'comments.author',
        ),
      ).toThrow(expect.objectContaining(refusal(/'comments.author' cannot be loaded into rows of values/)) as Error)
    })
  })

  it('no row has a name twice', async () => {
    for (const queryset of [
      rows('posts').values('id', 'author.name', 'id'),
      rows('posts').values('author.name', 'author.name'),
    ]) {
      await expect(Promise.resolve(queryset)).rejects.toMatchObject(refusal(/would have '(id|author.name)' twice/))
      await expect(queryset.json()).rejects.toMatchObject(refusal(/the column '(.*)' and as the column '\1'/))
    }
    expect(await rows('posts').valuesList('id', 'id').limit(1)).toEqual([[1, 1]])
  })
})

const accounts = pgTable('accounts', {
  id: integer().primaryKey(),
  region: text().notNull(),
  active: boolean().notNull(),
})
const notices = pgTable('notices', { id: integer().primaryKey(), region: text().notNull() }, (t) => [
  index().on(t.region),
])
const bulletins = pgTable('bulletins', { id: integer().primaryKey(), region: text().notNull() })
const dollars = pgTable('$& "$$"', { id: integer().primaryKey(), region: text().notNull() })

/** To-many relations whose `where` is that of the to-one relation they mirror: it is on their own source. */
const mirrored = defineRelations({ accounts, notices, bulletins, dollars }, (r) => ({
  accounts: {
    notices: r.many.notices({ alias: 'notices' }),
    bulletins: r.many.bulletins({ alias: 'bulletins' }),
    bulletin: r.one.bulletins({ alias: 'bulletin' }),
  },
  notices: {
    account: r.one.accounts({
      from: r.notices.region,
      to: r.accounts.region,
      where: { active: true },
      alias: 'notices',
    }),
  },
  bulletins: {
    account: r.one.accounts({
      from: r.bulletins.region,
      to: r.accounts.region,
      where: { OR: [{ active: true }, { id: { gt: 6 } }] },
      alias: 'bulletins',
    }),
    first: r.one.accounts({
      from: r.bulletins.region,
      to: r.accounts.region,
      where: { RAW: (t) => sql`not ${t.active}` },
      alias: 'bulletin',
    }),
  },
}))

const mirroredSql = `
create table accounts (id integer primary key, region text not null, active boolean not null);
create table notices (id integer primary key, region text not null);
create index on notices (region);
create table bulletins (id integer primary key, region text not null);
create table "$& ""$$""" (id integer primary key, region text not null);
insert into accounts select i, (array['north', 'south', 'east'])[i % 3 + 1], i % 2 = 0 from generate_series(1, 8) i;
insert into notices select i, (array['north', 'south', 'west'])[i % 3 + 1] from generate_series(1, 6) i;
insert into bulletins select * from notices;
insert into "$& ""$$""" select * from notices;
`

describe.each(engines)('a relation with conditions on its own source on %s', (engine) => {
  let opened: Opened<typeof mirrored>
  beforeAll(async () => {
    opened = await open(engine, { relations: mirrored, setUp: mirroredSql })
  })
  afterAll(() => opened.close())

  it.each(['notices', 'bulletins'] as const)('%s are those of Drizzle and of the filter', async (relation) => {
    const expected = await opened.db.drizzle.query.accounts.findMany({
      orderBy: { id: 'asc' },
      with: { [relation]: { orderBy: { id: 'asc' } } },
    })
    const queryset = dynamic(opened.db.accounts)
      .prefetchRelated(refined(relation, (all) => all.orderBy('id')))
      .orderBy('id')
    const { result, statements } = await opened.counted(() => queryset)
    expect(statements).toHaveLength(2)
    expect(result).toEqual(expected)
    expect(JSON.parse((await queryset.json()).toString())).toEqual(expected)
    const found = expected.filter((account) => (account as unknown as Record<string, unknown[]>)[relation]!.length > 0)
    expect(
      await dynamic(opened.db.accounts)
        .filter({ [relation]: true })
        .orderBy('id')
        .valuesList('id'),
    ).toEqual(found.map((account) => account.id))
    expect(found.length).toBeGreaterThan(1)
    // Cut out of a larger list, on a page, and for a single row.
    expect(await queryset.offset(2).limit(4)).toEqual(expected.slice(2, 6))
    expect((await queryset.page({ size: 3 })).data).toEqual(expected.slice(0, 3))
    for (const account of expected) expect(await queryset.filter({ id: account.id })).toEqual([account])
    const limited = await dynamic(opened.db.accounts)
      .prefetchRelated(refined(relation, (all) => all.orderBy('id').limit(1)))
      .orderBy('id')
    expect(limited.map((account) => account[relation])).toEqual(
      expected.map((account) => (account as unknown as Record<string, unknown[]>)[relation]!.slice(0, 1)),
    )
  })

  it('a to-one relation is the same by a join and by a prefetch', async () => {
    const all = dynamic(opened.db.accounts).orderBy('id')
    const joined = await all.selectRelated('bulletin')
    const { result, statements } = await opened.counted(() => all.prefetchRelated('bulletin'))
    expect(statements).toHaveLength(2)
    expect(result.map((account) => account['bulletin'] === null)).toEqual(
      joined.map((account) => account['bulletin'] === null),
    )
    expect(new Set(result.map((account) => account['bulletin'] === null))).toEqual(new Set([true, false]))
  })

  it('a name with the patterns of replaceAll in it is itself', async () => {
    const { result, statements } = await opened.counted(() =>
      opened.db.dollars.filter({ RAW: (t) => sql`${t.id} > 4 and ${t.region} <> ''` }).orderBy('id'),
    )
    expect(result.map((row) => row.id)).toEqual([5, 6])
    expect(statements).toHaveLength(1)
  })
})
