import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tags } from './blog.ts'
import { engines, openBlog, type Blog } from './open-blog.ts'

describe.each(engines)('Drizzle beside querysets on %s', (engine) => {
  let blog: Blog
  beforeAll(async () => {
    blog = await openBlog(engine)
  })
  afterAll(() => blog.close())

  const ids = async (): Promise<number[]> =>
    blog.db.tags
      .filter({ id: { gt: 100 } })
      .orderBy('id')
      .valuesList('id')
  const label = 'of a test'

  it('reads and writes through the same pool, with the same types', async () => {
    await blog.db.drizzle.insert(tags).values({ id: 101, label })
    expect(await blog.db.tags.get(101)).toEqual({ id: 101, label })
    const [found] = await blog.db.drizzle.query.tags.findMany({ where: { id: 101 } })
    expect(found).toEqual({ id: 101, label })
    await blog.db.drizzle.delete(tags).where(sql`${tags.id} > 100`)
  })

  it('what runs in its transaction through the db belongs to it, and is one transaction of ours', async () => {
    const hooks: string[] = []
    const statements: string[] = []
    const { statements: sent } = await blog.counted(() =>
      blog.db.drizzle.transaction(async (own) => {
        await own.insert(tags).values({ id: 102, label })
        await blog.db.tags.create({ id: 103, label })
        await blog.db.transaction(async (tx) => {
          tx.afterCommit(() => void hooks.push('committed'))
          await tx.tags.create({ id: 104, label })
        })
        expect(hooks).toEqual([])
      }),
    )
    statements.push(...sent)
    expect(statements).toHaveLength(3)
    expect(hooks).toEqual(['committed'])
    expect(await ids()).toEqual([102, 103, 104])
    const failed = blog.db.drizzle.transaction(async (own) => {
      await blog.db.tags.filter({ id: { gt: 100 } }).delete()
      own.rollback()
    })
    await expect(failed).rejects.toThrow('Rollback')
    expect(await ids()).toEqual([102, 103, 104])
    await blog.db.tags.filter({ id: { gt: 100 } }).delete()
  })

  it('two of its transactions at once inside one of ours do not undo one another', async () => {
    await blog.db.transaction(async (tx) => {
      const insert = (id: number, fail: boolean) =>
        blog.db.drizzle.transaction(async (own) => {
          await own.insert(tags).values({ id, label })
          await own.select().from(tags).limit(1)
          if (fail) own.rollback()
        })
      const outcomes = await Promise.allSettled([
        insert(105, false),
        insert(106, true),
        tx.tags.create({ id: 107, label }),
        tx.drizzle.transaction((own) => own.insert(tags).values({ id: 108, label })),
        insert(109, true),
      ])
      expect(outcomes.map((outcome) => outcome.status === 'fulfilled')).toEqual([true, false, true, true, false])
    })
    expect(await ids()).toEqual([105, 107, 108])
    await blog.db.tags.filter({ id: { gt: 100 } }).delete()
  })

  it('its transactions nest, also through the db, at any depth', async () => {
    await blog.db.drizzle.transaction(async (own) => {
      await own.transaction(async (nested) => {
        await nested.insert(tags).values({ id: 110, label })
        await blog.db.drizzle.transaction(async (deeper) => {
          await deeper.insert(tags).values({ id: 111, label })
        })
      })
      await own
        .transaction(async (nested) => {
          await nested.insert(tags).values({ id: 112, label })
          nested.rollback()
        })
        .catch(() => {})
    })
    expect(await ids()).toEqual([110, 111])
    await blog.db.tags.filter({ id: { gt: 100 } }).delete()
  })

  it('keeps to the isolation level and the mode that its transaction is given', async () => {
    const level = await blog.db.drizzle.transaction(
      async (own) =>
        (await own.execute<{ level: string }>(
          sql`select current_setting('transaction_isolation') as level`,
        )) as unknown,
      { isolationLevel: 'serializable', accessMode: 'read only', deferrable: true },
    )
    expect(level).toMatchObject({ rows: [{ level: 'serializable' }] })
    const written = blog.db.drizzle.transaction((own) => own.insert(tags).values({ id: 113, label }), {
      accessMode: 'read only',
    })
    await expect(written).rejects.toMatchObject({ cause: { details: { sqlState: '25006' } } })
  })
})
