import { describe, expect, onTestFinished, test } from 'vitest'
import { openOutbox } from '../../../src/outbox/index.ts'
import { createStatement } from '../../../src/postgres/index.ts'
import { run, valueOf } from '../../drivers/door.ts'
import { engines, open, recorder } from './open.ts'

const writeTo = (table: string) => createStatement(`insert into ${table} values ($1)`, { tracked: true })

describe.each(engines)('the tags of writes given to another kind, on %s', (engine) => {
  /** An outbox that records copies, whether or not it records bumps; its relay is slow to look by itself. */
  async function openCopying(durable: boolean) {
    const { postgres, table, outbox: other } = await open(engine)
    await other.close()
    await run(postgres, 'delete from plimsoll.outbox')
    const outbox = await openOutbox({ postgres, durable, copies: ['copy'], pollMs: 3_600_000 })
    onTestFinished(() => outbox.close())
    const bumped: string[] = []
    outbox.carry('cache.bump', recorder(bumped))
    const insert = (n: number): Promise<void> =>
      outbox.write(
        async (executor) => {
          await executor.execute(writeTo(table), [n])
          return { result: undefined, tags: [`t:${n}`] }
        },
        ['t', 't*'],
      )
    const recorded = (): Promise<string | null | undefined> =>
      valueOf(
        postgres,
        `select string_agg(kind || ' ' || array_to_string(items, ','), ' | ' order by id) from plimsoll.outbox`,
      )
    return { postgres, outbox, bumped, table, insert, recorded }
  }

  test.each([true, false])(
    'are recorded with their transaction, and nobody waits for them (durable: %s)',
    async (durable) => {
      const { outbox, bumped, insert, recorded } = await openCopying(durable)
      await insert(1)
      expect(bumped).toEqual(['t:1'])
      await expect.poll(recorded).toBe('copy t:1')
      const copied: string[] = []
      const { promise, resolve } = Promise.withResolvers<void>()
      outbox.carry('copy', async (items, info) => {
        await promise
        await recorder(copied)(items, info)
      })
      await insert(2)
      expect([bumped, copied]).toEqual([['t:1', 't:2'], []])
      resolve()
      const named = (): string[] => copied.join().replaceAll(' late', '').split(',').toSorted()
      await expect.poll(named).toEqual(['t:1', 't:2'])
      await expect.poll(recorded).toBeNull()
    },
  )

  test.each([true, false])('are forgotten when it is rolled back (durable: %s)', async (durable) => {
    const { postgres, outbox, insert, recorded } = await openCopying(durable)
    await insert(1)
    await expect(insert(1)).rejects.toMatchObject({ code: 'PLIMSOLL_CONSTRAINT_VIOLATED' })
    const rolledBack = postgres.transaction(async (transaction) => {
      outbox.note(transaction, 'cache.bump', ['t:2'])
      throw new Error('rolled back')
    })
    await expect(rolledBack).rejects.toThrow('rolled back')
    await expect.poll(recorded).toBe('copy t:1')
  })

  test('are there too for what is noted as bumps, and for no other kind', async () => {
    const { postgres, outbox, recorded } = await openCopying(false)
    await postgres.transaction(async (transaction) => {
      outbox.note(transaction, 'cache.bump', ['a', 'b'])
      outbox.note(transaction, 'cache.bump', ['a'])
      outbox.note(transaction, 'mail', ['c'])
    })
    await expect.poll(recorded).toBe('copy a,b')
  })

  test('are recorded for bumps that somebody else left, once those are carried', async () => {
    const { postgres, outbox, bumped, recorded } = await openCopying(true)
    // Not due: the relay, which `carry` has woken, would carry them as well.
    const left = (tags: string): Promise<unknown> =>
      run(
        postgres,
        `insert into plimsoll.outbox (kind, items, due_at) values ('cache.bump', '{${tags}}', now() + interval '1 hour')`,
      )
    await left('x,y')
    expect(await outbox.drain('cache.bump')).toBe(1)
    expect(bumped).toEqual(['x,y late'])
    expect(await recorded()).toBe('copy x,y')
    await run(postgres, `delete from plimsoll.outbox`)
    await left('z')
    const takeBack = outbox.carry('cache.bump', () => Promise.reject(new Error('away')))
    await expect(outbox.drain('cache.bump')).rejects.toThrow('away')
    expect(await recorded()).toBe('cache.bump z')
    takeBack()
  })
})
