import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDb, type ModelSets, type WriteTracker } from '../../../src/db/index.ts'
import { createStatement } from '../../../src/postgres/index.ts'
import { buildModelGraph, worstTags } from '../../../src/schema/index.ts'
import { engines, open, type Opened } from './open-blog.ts'
import { postId, relations, taggedSql } from './tagged.ts'

class Undo extends Error {}

const graph = buildModelGraph(relations)
const [post1, post2, post9] = [postId(1), postId(2), postId(9)]

describe.each(engines)('a tracked write on %s', (engine) => {
  let opened: Opened<typeof relations>
  beforeAll(async () => {
    opened = await open(engine, { relations, setUp: taggedSql })
  })
  afterAll(() => opened.close())

  type Work = (tx: ModelSets<typeof relations>) => Promise<unknown>

  /** Runs writes that are undone; resolves with the tags and the result of each, and the statements they took. */
  async function tracked(
    work: Work,
  ): Promise<{ tags: string[][]; worst: string[][]; result: unknown; statements: string[] }> {
    const tags: string[][] = []
    const worst: string[][] = []
    const writes: WriteTracker = {
      async write(run, worstOf, within) {
        const done = await run(within!)
        tags.push([...done.tags])
        worst.push([...worstOf])
        return done.result
      },
    }
    const db = createDb({ relations, graph, postgres: opened.postgres, secret: 'a secret for tests', writes })
    let result: unknown
    const { statements } = await opened.counted(() =>
      db
        .transaction(async (tx) => {
          result = await work(tx)
          throw new Undo()
        })
        .catch((error: unknown) => {
          if (!(error instanceof Undo)) throw error
        }),
    )
    return { tags, worst, result, statements }
  }

  const noteOf = (id: string): string[] => ['notes', `notes.post_id=${id}`]

  it('of a new row bumps what it is found by', async () => {
    const { tags, worst, statements } = await tracked((tx) =>
      tx.posts.create({ id: post9.toUpperCase(), title: 'New Title', status: 'live', authorId: 3, editorId: null }),
    )
    expect(tags).toEqual([
      [
        'posts',
        `posts:${post9}`,
        'posts.author_id=3',
        'posts.editor_id=%00',
        'posts.slug=new%20title',
        'posts.status=live',
      ],
    ])
    expect(worst).toEqual([worstTags(graph, graph.models.get('posts')!)])
    expect(statements).toHaveLength(1)
  })

  it('of rows that keep their tags bumps these alone, by the same one statement', async () => {
    const { tags, result, statements } = await tracked((tx) => tx.comments.filter({ id: 4n }).update({ body: 'new' }))
    expect(result).toBe(1)
    expect(tags).toEqual([
      [
        'comments',
        'comments:4',
        `comments.post_id=${postId(5)}`,
        'comments.author_id=%00',
        'comments.parent_id=1',
        'comments.kind=plain',
      ],
    ])
    expect(statements).toHaveLength(1)
    expect(statements[0]).toMatch(
      /^with "__written" as \(update "comments" set "body" = \$1 where "comments"."id" = \$2 returning /,
    )
  })

  it('that moves a row bumps where it was and where it is', async () => {
    const by =
      (change: object): Work =>
      (tx) =>
        tx.posts.filter({ id: post1 }).update(change)
    const moved = await tracked(by({ authorId: 5 }))
    expect(moved.tags[0]).toEqual(expect.arrayContaining(['posts.author_id=2', 'posts.author_id=5']))
    expect(moved.statements).toHaveLength(1)
    const expression = await tracked(by({ authorId: sql`author_id + 1` }))
    expect(expression.tags[0]).toEqual(expect.arrayContaining(['posts.author_id=2', 'posts.author_id=3']))
    // A computed column follows those it is made of.
    const computed = await tracked(by({ title: 'Else' }))
    expect(computed.tags[0]).toEqual(expect.arrayContaining(['posts.slug=title%201', 'posts.slug=else']))
    const many = await tracked((tx) =>
      tx.posts.updateMany([
        { id: post1, authorId: 5 },
        { id: post2, authorId: 4, rank: 1 },
      ]),
    )
    expect(many.result).toBe(2)
    expect(many.tags[0]).toEqual(
      expect.arrayContaining(['posts.author_id=2', 'posts.author_id=5', 'posts.author_id=3', 'posts.author_id=4']),
    )
    const bounded = await tracked((tx) => tx.posts.orderBy('id').limit(1).update({ authorId: 5 }))
    expect(bounded.result).toBe(1)
    expect(bounded.tags[0]).toEqual(
      expect.arrayContaining([`posts:${post1}`, 'posts.author_id=2', 'posts.author_id=5']),
    )
    // Without a primary key nobody can say which row was which.
    const unkeyed = await tracked((tx) => tx.notes.filter({ body: 'note 1' }).update({ postId: post9 }))
    expect(unkeyed).toMatchObject({ result: 1, tags: [['notes', 'notes*']] })
  })

  it('that foreign keys follow bumps their tables', async () => {
    const users = await tracked((tx) => tx.users.filter({ id: 5 }).delete())
    expect(users.result).toBe(1)
    // Posts, comments and what hangs on those go along; mentors and authors of comments become NULL.
    expect(users.tags[0]!.filter((tag) => tag.endsWith('*')).toSorted()).toEqual(
      ['comments*', 'post_labels*', 'posts*', 'profiles*', 'users*'].toSorted(),
    )
    const key = await tracked((tx) => tx.regions.filter({ code: 'se' }).update({ code: 'sv' }))
    expect(key.tags).toEqual([['regions', 'regions:sv', 'regions:se', 'users', 'users*']])
    const name = await tracked((tx) => tx.regions.filter({ code: 'se' }).update({ name: 'Sverige' }))
    expect(name.tags).toEqual([['regions', 'regions:se']])
  })

  it('of an upsert bumps the table when a row may have moved, and its rows when none can', async () => {
    const upsert = (update: 'all' | 'rank'[]): Work => {
      const row = { id: post1, title: 'Title 1', authorId: 5, rank: 3 }
      return (tx) => tx.posts.createMany([row], { onConflict: { target: ['id'], update } })
    }
    expect((await tracked(upsert('all'))).tags).toEqual([['posts', 'posts*']])
    // `rank` moves nothing by itself, but the database may compute the slug anew.
    expect((await tracked(upsert(['rank']))).tags).toEqual([['posts', 'posts*']])
    const profile = await tracked((tx) =>
      tx.profiles.createMany([{ userId: 1, bio: 'new' }], { onConflict: { target: ['userId'], update: 'all' } }),
    )
    expect(profile.tags).toEqual([['profiles', 'profiles:1']])
    const ignored = await tracked((tx) => tx.labels.createMany([{ id: 1, name: 'other' }], { onConflict: 'ignore' }))
    expect(ignored).toMatchObject({ result: [], tags: [[]] })
  })

  it('that finds no row bumps nothing', async () => {
    const { tags, result } = await tracked(async (tx) => [
      await tx.posts.filter({ id: post9 }).update({ authorId: 5 }),
      await tx.posts.filter({ id: post9 }).delete(),
      await tx.posts.updateMany([{ id: post9, rank: 3 }]),
      await tx.posts.updateMany([]),
      await tx.posts.createMany([]),
    ])
    expect(result).toEqual([0, 0, 0, 0, []])
    expect(tags).toEqual([[], [], []])
  })

  it('of very many rows bumps the table, brings few of them back, and counts them all', async () => {
    const many = (n: number) => Array.from({ length: n }, (_, i) => ({ postId: postId(i % 10), body: 'many' }))
    const { tags, result, statements } = await tracked(async (tx) => {
      const created = await tx.notes.createMany(many(250))
      const updated = await tx.notes.filter({ body: 'many' }).update({ body: 'more' })
      const moved = await tx.comments.update({ authorId: 1 })
      return [created.length, updated, moved, await tx.notes.filter({ body: 'more' }).delete()]
    })
    expect(result).toEqual([250, 250, 9, 250])
    expect(tags[0]).toEqual(['notes', 'notes*'])
    expect(tags[1]).toEqual(['notes', 'notes*'])
    expect(tags[3]).toEqual(['notes', 'notes*'])
    expect(statements).toHaveLength(4)
    expect(statements[1]).toContain('limit 101')
    // A hundred are still told apart.
    const few = await tracked((tx) => tx.notes.createMany(many(100)))
    expect(few.tags[0]).toHaveLength(11)
    expect(few.tags[0]).toEqual(expect.arrayContaining(noteOf(postId(9))))
  })

  it('runs within the bounds of its queryset', async () => {
    const ended = tracked((tx) => tx.users.within({ signal: AbortSignal.abort() }).update({ active: false }))
    await expect(ended).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_CANCELLED' })
  })

  it('is what it was where nobody tracks', async () => {
    const { db } = opened
    const { statements } = await opened.counted(() => db.posts.filter({ id: post9 }).update({ authorId: 1 }))
    expect(statements).toEqual(['update "posts" set "author_id" = $1 where "posts"."id" = $2'])
  })

  it.runIf(engine === 'postgres')(
    'of a row that another transaction has just moved bumps where that left it',
    async () => {
      const { postgres } = opened
      const tags: string[] = []
      const writes: WriteTracker = {
        async write(run) {
          const done = await run(postgres)
          tags.push(...done.tags)
          return done.result
        },
      }
      const db = createDb({ relations, graph, postgres, secret: 'a secret for tests', writes })
      const updated = Promise.withResolvers<void>()
      const gate = Promise.withResolvers<void>()
      const first = opened.db.transaction(async (tx) => {
        await tx.posts.filter({ id: post2 }).update({ authorId: 1 })
        updated.resolve()
        await gate.promise
      })
      await updated.promise
      const second = Promise.resolve(db.posts.filter({ id: post2 }).update({ authorId: 4 }))
      const waiting = createStatement(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      await expect.poll(async () => (await postgres.execute(waiting, [])).rowCount).toBe(1)
      gate.resolve()
      await first
      expect(await second).toBe(1)
      // It was of author 3 when the second write began, and of author 1 when it came to write.
      expect(tags).toEqual(expect.arrayContaining(['posts.author_id=1', 'posts.author_id=4']))
      expect(tags).not.toContain('posts.author_id=3')
      await opened.db.posts.filter({ id: post2 }).update({ authorId: 3 })
    },
  )
})
