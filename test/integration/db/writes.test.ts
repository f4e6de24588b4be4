import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dynamic } from '../../../src/db/dynamic.ts'
import { posts, users } from './blog.ts'
import { engines, openBlog, type Blog } from './open-blog.ts'

class Undo extends Error {}

describe.each(engines)('writes on %s', (engine) => {
  let blog: Blog
  beforeAll(async () => {
    blog = await openBlog(engine)
  })
  afterAll(() => blog.close())

  /** Runs `work` in a transaction that is rolled back, so that every test starts from the same rows. */
  async function undone(
    work: (tx: Parameters<Parameters<Blog['db']['transaction']>[0]>[0]) => Promise<void>,
  ): Promise<void> {
    await blog.db
      .transaction(async (tx) => {
        await work(tx)
        throw new Undo()
      })
      .catch((error: unknown) => {
        if (!(error instanceof Undo)) throw error
      })
  }

  it('create returns the row as the database has it, defaults included', () =>
    undone(async (tx) => {
      const row = await tx.posts.create({ slug: 'new', title: 'New', authorId: 1, meta: { words: 3 } })
      expect(row).toEqual({
        id: expect.any(Number) as number,
        slug: 'new',
        title: 'New',
        status: 'draft',
        views: 0,
        rating: null,
        meta: { words: 3 },
        publishedAt: null,
        authorId: 1,
        categoryId: null,
      })
      expect(await tx.posts.find(row.id)).toEqual(row)
    }))

  it('createMany inserts any number of rows with one statement, in their order', () =>
    undone(async (tx) => {
      const { result, statements } = await blog.counted(() =>
        tx.users.createMany(
          Array.from({ length: 3000 }, (_, i) => ({ name: `many ${i}`, country: i % 2 ? 'SE' : null })),
        ),
      )
      expect(result.map((user) => user.name)).toEqual(Array.from({ length: 3000 }, (_, i) => `many ${i}`))
      expect(statements).toHaveLength(1)
    }))

  it('createMany of rows with different columns keeps their order too', () =>
    undone(async (tx) => {
      const made = await tx.users.createMany([{ name: 'a' }, { name: 'b', country: 'NO' }, { name: 'c' }])
      expect(made.map((user) => [user.name, user.country])).toEqual([
        ['a', null],
        ['b', 'NO'],
        ['c', null],
      ])
    }))

  it('createMany ignores or overwrites rows that a unique key refuses', () =>
    undone(async (tx) => {
      const rows = [
        { slug: 'post-1', title: 'again', authorId: 1 },
        { slug: 'fresh', title: 'fresh', authorId: 1 },
      ]
      expect((await tx.posts.createMany(rows, { onConflict: 'ignore' })).map((post) => post.slug)).toEqual(['fresh'])
      const updated = await tx.posts.createMany(rows, { onConflict: { target: ['slug'], update: ['title'] } })
      expect(updated.map((post) => [post.slug, post.title])).toEqual([
        ['post-1', 'again'],
        ['fresh', 'fresh'],
      ])
      expect(await tx.posts.get({ slug: 'post-1' })).toMatchObject({ id: 1, title: 'again', views: 10 })
    }))

  it('a constraint that refuses is an error of its own that names it', async () => {
    await expect(blog.db.posts.create({ slug: 'post-1', title: 'x', authorId: 1 })).rejects.toMatchObject({
      code: 'PLIMSOLL_CONSTRAINT_VIOLATED',
      status: 409,
    })
    await expect(blog.db.posts.create({ slug: 'orphan', title: 'x', authorId: 999 })).rejects.toMatchObject({
      code: 'PLIMSOLL_CONSTRAINT_VIOLATED',
    })
  })

  it('update changes the rows of a queryset with one statement, by values or by SQL', () =>
    undone(async (tx) => {
      const { result, statements } = await blog.counted(() =>
        tx.posts
          .filter({ author: { country: 'SE' } })
          .update({ status: 'archived', views: sql`${posts.views} + ${5}` }),
      )
      expect(result).toBe(3)
      expect(statements).toHaveLength(1)
      expect(await tx.posts.filter({ status: 'archived' }).orderBy('id').valuesList('id', 'views')).toEqual([
        [2, 25],
        [7, 75],
        [12, 125],
      ])
    }))

  it('update and delete of a bounded queryset touch only its rows', () =>
    undone(async (tx) => {
      expect(await tx.posts.orderBy('-id').limit(2).update({ title: 'last two' })).toBe(2)
      expect(await tx.posts.filter({ title: 'last two' }).orderBy('id').valuesList('id')).toEqual([11, 12])
      expect(await tx.comments.orderBy('id').limit(4).delete()).toBe(4)
      expect(await tx.comments.count()).toBe(26)
    }))

  it('updateMany sets other values on every row with one statement', () =>
    undone(async (tx) => {
      const changes = Array.from({ length: 12 }, (_, i) => ({
        id: i + 1,
        title: `title ${i + 1}`,
        rating: i % 3 ? i : null,
      }))
      const { result, statements } = await blog.counted(() => tx.posts.updateMany(changes))
      expect(result).toBe(12)
      expect(statements).toHaveLength(1)
      const rows = await tx.posts.orderBy('id').only('id', 'title', 'rating')
      expect(rows).toEqual(changes)
    }))

  it.each<[string, () => Promise<unknown>, RegExp]>([
    ['an update of nothing', () => blog.db.posts.update({}), /sets no column/],
    ['an unknown column', () => dynamic(blog.db.posts).update({ titel: 1 }), /Unknown field 'titel'/],
    [
      'updateMany without a key',
      () => blog.db.posts.updateMany([{ title: 'x' } as never]),
      /needs its primary key \(id\)/,
    ],
    [
      'updateMany with a key twice',
      () =>
        blog.db.posts.updateMany([
          { id: 1, title: 'a' },
          { id: 1, title: 'b' },
        ]),
      /twice/,
    ],
  ])('refuses %s', async (_, work, message) => {
    await expect(work()).rejects.toThrow(message)
  })

  it('a rolled-back transaction leaves nothing, and its hooks do not run', async () => {
    let ran = 0
    await undone(async (tx) => {
      tx.afterCommit(() => void ran++)
      await tx.users.create({ name: 'ghost' })
    })
    expect(await blog.db.users.filter({ name: 'ghost' }).exists()).toBe(false)
    expect(ran).toBe(0)
  })

  it('db, db.drizzle and nested transactions join the transaction they are called in', async () => {
    const seen: string[] = []
    await undone(async (tx) => {
      await blog.db.users.create({ name: 'by db' })
      await blog.db.drizzle.insert(users).values({ name: 'by db.drizzle' })
      await tx.drizzle.insert(users).values({ name: 'by tx.drizzle' })
      await tx.transaction(async (savepoint) => {
        await savepoint.users.create({ name: 'by savepoint' })
      })
      await tx
        .transaction(async (savepoint) => {
          await savepoint.users.create({ name: 'lost' })
          throw new Undo()
        })
        .catch(() => {})
      seen.push(
        ...(await tx.users
          .filter({ id: { gt: 100 } })
          .orderBy('id')
          .valuesList('name')),
      )
    })
    expect(seen).toEqual(['by db', 'by db.drizzle', 'by tx.drizzle', 'by savepoint'])
    expect(await blog.db.users.count()).toBe(5)
  })
})
