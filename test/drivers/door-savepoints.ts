import { drizzle } from 'drizzle-orm/node-postgres'
import { expect } from 'vitest'
import { createTable, numbersIn, openDoor, run, valueOf, type DoorCase } from './door.ts'

/** What the door promises of transactions inside transactions. */
export const savepointCases: readonly DoorCase[] = [
  {
    name: 'a nested transaction is a savepoint: it can fail alone, at any depth',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int primary key')
      await door.transaction(async (tx) => {
        await run(tx, `insert into ${table} values (1)`)
        await expect(tx.transaction((inner) => run(inner, `insert into ${table} values (1)`))).rejects.toMatchObject({
          code: 'PLIMSOLL_CONSTRAINT_VIOLATED',
        })
        await door.transaction(async (inner) => {
          await run(inner, `insert into ${table} values (2)`)
          const innermost = inner.transaction(async () => {
            await run(door, `insert into ${table} values (3)`)
            throw new Error('innermost')
          })
          await expect(innermost).rejects.toThrow('innermost')
        })
      })
      expect(await numbersIn(door, table)).toEqual([1, 2])
    },
  },
  {
    name: 'savepoints started at the same time take turns',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      await door.transaction(async (tx) => {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 10 }, (_, n) =>
            tx.transaction(async (inner) => {
              await run(inner, `insert into ${table} values (${n})`)
              await valueOf(inner, 'select 1')
              if (n % 2 === 1) throw new Error('odd')
            }),
          ),
        )
        expect(outcomes.map((outcome) => outcome.status === 'fulfilled')).toEqual(outcomes.map((_, n) => n % 2 === 0))
      })
      expect(await numbersIn(door, table)).toEqual([0, 2, 4, 6, 8])
    },
  },
  {
    name: 'a statement of the outer transaction sent while a savepoint is open is not undone with it',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      await door.transaction(async (tx) => {
        const savepoint = tx.transaction(async (inner) => {
          await run(inner, `insert into ${table} values (1)`)
          await valueOf(inner, 'select 1')
          throw new Error('no')
        })
        const [failed, kept] = await Promise.allSettled([savepoint, run(tx, `insert into ${table} values (2)`)])
        expect([failed.status, kept.status]).toEqual(['rejected', 'fulfilled'])
      })
      expect(await numbersIn(door, table)).toEqual([2])
    },
  },
  {
    name: 'a savepoint asked of the outer transaction from within another is nested in that',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      await door.transaction(async (tx) => {
        await tx.transaction(async () => {
          await run(tx, `insert into ${table} values (1)`)
          await tx.transaction((inner) => run(inner, `insert into ${table} values (2)`))
        })
      })
      expect(await numbersIn(door, table)).toEqual([1, 2])
    },
  },
  {
    name: 'a savepoint that nobody waited for can do nothing once its transaction has ended',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const ended = Promise.withResolvers<void>()
      let late: Promise<unknown> | undefined
      const opened = Promise.withResolvers<void>()
      await door.transaction(async (tx) => {
        late = tx.transaction(async (inner) => {
          await valueOf(inner, 'select 1')
          opened.resolve()
          await ended.promise
          await run(inner, `insert into ${table} values (1)`)
        })
        late.catch(() => {})
        await opened.promise
      })
      await door.transaction(async (tx) => {
        ended.resolve()
        await expect(late).rejects.toMatchObject({ code: 'PLIMSOLL_TRANSACTION_CLOSED' })
        expect(await valueOf(tx, 'select 1')).toBe('1')
      })
      expect(await numbersIn(door, table)).toEqual([])
    },
  },
  {
    name: 'a savepoint is given no isolation level or mode of its own, by us or by Drizzle',
    async run(engine) {
      await using door = await openDoor(engine)
      await door.transaction(async () => {
        const invalid = { code: 'PLIMSOLL_QUERY_INVALID' }
        await expect(door.transaction(async () => {}, { isolation: 'serializable' })).rejects.toMatchObject(invalid)
        await expect(door.transaction(async () => {}, { readOnly: true })).rejects.toMatchObject(invalid)
        expect(await door.transaction((inner) => valueOf(inner, 'select 1'), { retries: 3 })).toBe('1')
        const own = drizzle({ client: door.client }).transaction(async () => {}, { isolationLevel: 'serializable' })
        await expect(own).rejects.toMatchObject({ cause: { message: expect.stringContaining('savepoint') } })
      })
    },
  },
]
