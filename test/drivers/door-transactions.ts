import { AsyncResource } from 'node:async_hooks'
import { drizzle } from 'drizzle-orm/node-postgres'
import { sql } from 'drizzle-orm'
import { expect, vi } from 'vitest'
import type { IsolationLevel, Transaction } from '../../src/postgres/index.ts'
import { createTable, numbersIn, openDoor, rowsOf, run, statementsOf, valueOf, type DoorCase } from './door.ts'

/** What the door promises of transactions. */
export const transactionCases: readonly DoorCase[] = [
  {
    name: 'a transaction commits what its callback resolved with, and rolls back when it throws',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const result = await door.transaction(async (tx) => {
        await run(tx, `insert into ${table} values (1)`)
        return 'kept'
      })
      expect(result).toBe('kept')
      const failure = new Error('no')
      await expect(
        door.transaction(async (tx) => {
          await run(tx, `insert into ${table} values (2)`)
          throw failure
        }),
      ).rejects.toBe(failure)
      expect(await numbersIn(door, table)).toEqual([1])
    },
  },
  {
    name: 'what runs through the door inside a callback joins the transaction, and what runs beside it does not',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const beside = Promise.withResolvers<void>()
      const other = beside.promise.then(() => run(door, `insert into ${table} values (10)`))
      const rolledBack = door.transaction(async () => {
        await run(door, `insert into ${table} values (1)`)
        beside.resolve()
        expect(await numbersIn(door, table)).toContain(1)
        throw new Error('no')
      })
      await expect(rolledBack).rejects.toThrow('no')
      await other
      expect(await numbersIn(door, table)).toEqual([10])
    },
  },
  {
    name: 'a lazy query that a callback returns is part of the transaction',
    async run(engine) {
      await using door = await openDoor(engine)
      const db = drizzle({ client: door.client })
      const table = await createTable(door, 'n int')
      const insert = (n: number) => db.execute(sql.raw(`insert into ${table} values (${n})`))
      await door.transaction(() => insert(1))
      const failing = door.transaction(async (tx) => {
        await tx.transaction(() => insert(2))
        throw new Error('no')
      })
      await expect(failing).rejects.toThrow('no')
      expect(await numbersIn(door, table)).toEqual([1])
    },
  },
  {
    name: 'a transaction that its client leaves open is gone before anybody else comes',
    async run(engine) {
      await using door = await openDoor(engine, { maxTransactions: 1 })
      const table = await createTable(door, 'n int')
      const pool = door.client as unknown as {
        connect(): Promise<{ query(text: string): Promise<unknown>; release(error?: Error): void }>
      }
      for (const error of [undefined, new Error('broken')]) {
        const client = await pool.connect()
        await client.query('begin')
        await client.query(`insert into ${table} values (1)`)
        client.release(error)
        await door.transaction((tx) => run(tx, `insert into ${table} values (2)`))
        await run(door, `insert into ${table} values (3)`)
      }
      expect(await numbersIn(door, table)).toEqual([2, 2, 3, 3])
    },
  },
  {
    name: 'a transaction that met an altered table fails once, and works when it is run again',
    async run(engine) {
      await using door = await openDoor(engine, { maxTransactions: 1 })
      const table = await createTable(door, 'a int')
      const read = () => door.transaction((tx) => rowsOf(tx, `select * from ${table}`))
      await read()
      await run(door, `alter table ${table} add column b int`)
      await read().catch((error: unknown) => expect(error).toMatchObject({ details: { sqlState: '0A000' } }))
      expect(await read()).toEqual([])
    },
  },
  {
    name: 'a statement that failed and was ignored still rolls the transaction back, and says so',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const swallowed = door.transaction(async (tx) => {
        await run(tx, `insert into ${table} values (1)`)
        await valueOf(tx, 'select 1 / 0').catch(() => {})
      })
      await expect(swallowed).rejects.toMatchObject({
        code: 'PLIMSOLL_STATEMENT_FAILED',
        cause: { details: { sqlState: '22012' } },
      })
      expect(await numbersIn(door, table)).toEqual([])
    },
  },
  {
    name: 'a transaction that has ended refuses everything',
    async run(engine) {
      await using door = await openDoor(engine)
      let leaked: Transaction | undefined
      await door.transaction(async (tx) => {
        leaked = tx
      })
      const closed = { code: 'PLIMSOLL_TRANSACTION_CLOSED' }
      await expect(valueOf(leaked!, 'select 1')).rejects.toMatchObject(closed)
      await expect(leaked!.transaction(async () => {})).rejects.toMatchObject(closed)
      expect(() => leaked!.afterCommit(() => {})).toThrow(/has ended/)
      expect(await valueOf(door, 'select 1')).toBe('1')
    },
  },
  {
    name: 'isolation level and read-only mode are what was asked for',
    async run(engine) {
      await using door = await openDoor(engine)
      const levels: IsolationLevel[] = ['read committed', 'repeatable read', 'serializable']
      for (const isolation of levels) {
        const shown = door.transaction((tx) => valueOf(tx, `select current_setting('transaction_isolation')`), {
          isolation,
        })
        expect(await shown).toBe(isolation)
      }
      const table = await createTable(door, 'n int')
      const written = door.transaction((tx) => run(tx, `insert into ${table} values (1)`), { readOnly: true })
      await expect(written).rejects.toMatchObject({ details: { sqlState: '25006' } })
      const wrong = { isolation: 'chaos; drop table x' as IsolationLevel }
      for (const options of [wrong, { retries: Number.NaN }, { retries: -1 }]) {
        const refused = door.transaction(async () => {}, options)
        await expect(refused).rejects.toMatchObject({ code: 'PLIMSOLL_OPTION_INVALID' })
      }
    },
  },
  {
    name: 'hooks run in order after the commit and outside of it, and never after a rollback',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const ran: string[] = []
      await door.transaction(async (tx) => {
        tx.afterCommit(async () => {
          ran.push(`first sees ${(await numbersIn(door, table)).join()}`)
        })
        await tx.transaction(async (inner) => {
          inner.afterCommit(() => void ran.push('of the savepoint'))
        })
        await tx
          .transaction(async (inner) => {
            inner.afterCommit(() => void ran.push('of the failed savepoint'))
            throw new Error('no')
          })
          .catch(() => {})
        tx.afterCommit(() => void ran.push('last'))
        await run(tx, `insert into ${table} values (1)`)
        expect(ran).toEqual([])
      })
      expect(ran).toEqual(['first sees 1', 'of the savepoint', 'last'])
      await door
        .transaction(async (tx) => {
          tx.afterCommit(() => void ran.push('of the rolled back'))
          throw new Error('no')
        })
        .catch(() => {})
      expect(ran).toHaveLength(3)
    },
  },
  {
    name: 'a hook that fails is a warning: the transaction is committed, and the other hooks run',
    async run(engine) {
      await using door = await openDoor(engine)
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
      try {
        let ran = false
        await door.transaction(async (tx) => {
          tx.afterCommit(() => {
            throw new Error('the hook')
          })
          tx.afterCommit(() => {
            ran = true
          })
        })
        expect(ran).toBe(true)
        expect(String(warned.mock.calls[0]?.[0])).toContain('the hook')
      } finally {
        warned.mockRestore()
      }
    },
  },
  {
    name: 'a transaction that loses against another is run again as often as asked for',
    needs: ['many sessions'],
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      await run(door, `insert into ${table} values (0)`)
      // Both read before either writes, so one of them must lose.
      const increments = (retries: number) => {
        const both = meeting(2)
        let attempts = 0
        const increment = () =>
          door.transaction(
            async (tx) => {
              attempts++
              const n = Number(await valueOf(tx, `select n from ${table}`))
              await both.arrive()
              await run(tx, `update ${table} set n = ${n + 1}`)
            },
            { isolation: 'serializable', retries },
          )
        return Promise.allSettled([increment(), increment()]).then((outcomes) => ({ outcomes, attempts }))
      }
      const lost = await increments(0)
      expect(lost.outcomes.map((outcome) => outcome.status).toSorted()).toEqual(['fulfilled', 'rejected'])
      expect(lost.outcomes.find((outcome) => outcome.status === 'rejected')).toMatchObject({
        reason: { code: 'PLIMSOLL_SERIALIZATION_FAILED' },
      })
      const won = await increments(5)
      expect(won.outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'fulfilled'])
      expect(won.attempts).toBeGreaterThan(2)
      expect(await numbersIn(door, table)).toEqual([3])
    },
  },
  {
    name: 'is run again also when something else in it had failed and was handled before',
    needs: ['many sessions'],
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      await run(door, `insert into ${table} values (0)`)
      let attempts = 0
      await door.transaction(
        async (tx) => {
          attempts++
          await tx.transaction((a) => a.transaction((b) => valueOf(b, 'select 1 / 0'))).catch(() => {})
          await valueOf(tx, 'select $1::int', [undefined as never]).catch(() => {})
          const n = Number(await valueOf(tx, `select n from ${table}`))
          // Somebody else comes in between, the first time.
          if (attempts === 1) await outside(() => run(door, `update ${table} set n = 10`))
          await run(tx, `update ${table} set n = ${n + 1}`)
        },
        { isolation: 'repeatable read', retries: 3 },
      )
      expect(attempts).toBe(2)
      expect(await numbersIn(door, table)).toEqual([11])
    },
  },
  {
    name: 'a lock that is not waited for has an error of its own',
    needs: ['many sessions'],
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      await door.transaction(async (tx) => {
        await run(tx, `lock table ${table}`)
        const insideAnother = outside(() => door.transaction((other) => run(other, `lock table ${table} nowait`)))
        await expect(insideAnother).rejects.toMatchObject({ code: 'PLIMSOLL_LOCK_UNAVAILABLE' })
      })
    },
  },
  {
    name: 'no more transactions are open than allowed, and who waits too long is told',
    needs: ['many sessions'],
    async run(engine) {
      await using door = await openDoor(engine, { maxTransactions: 2, transactionWait: '100ms' })
      const release = Promise.withResolvers<void>()
      const started = meeting(3)
      const hold = () =>
        door.transaction(async () => {
          void started.arrive()
          await release.promise
        })
      const held = [hold(), hold()]
      await expect(door.transaction(async () => {})).rejects.toMatchObject({ code: 'PLIMSOLL_DATABASE_BUSY' })
      expect(await valueOf(door, 'select 1'), 'reads outside transactions go on').toBe('1')
      release.resolve()
      await Promise.all(held)
      await door.transaction(async () => {})
    },
  },
  {
    name: 'its statements leave together with the begin, and a commit is one more round trip',
    async run(engine) {
      await using door = await openDoor(engine)
      const texts = await statementsOf(() => door.transaction((tx) => valueOf(tx, 'select 1')))
      expect(texts).toEqual(['begin', 'select 1', 'commit'])
    },
  },
  {
    name: 'a transaction whose signal aborts is rolled back',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const stop = new AbortController()
      const aborted = door.transaction(
        async (tx) => {
          await run(tx, `insert into ${table} values (1)`)
          stop.abort()
          await valueOf(tx, 'select 1')
        },
        { signal: stop.signal },
      )
      await expect(aborted).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_CANCELLED' })
      expect(await numbersIn(door, table)).toEqual([])
      const never = door.transaction(async () => expect.unreachable(), { signal: stop.signal })
      await expect(never).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_CANCELLED' })
    },
  },
  {
    name: 'Drizzle on the door works outside, inside, and with transactions of its own at every depth',
    async run(engine) {
      await using door = await openDoor(engine)
      const db = drizzle({ client: door.client })
      const table = await createTable(door, 'n int')
      const insert = (n: number) => sql.raw(`insert into ${table} values (${n})`)
      await db.execute(insert(1))
      await db.transaction(async (own) => {
        await own.execute(insert(2))
        await own.transaction((nested) => nested.execute(insert(3)))
        await own
          .transaction(async (nested) => {
            await nested.execute(insert(99))
            nested.rollback()
          })
          .catch(() => {})
      })
      await door.transaction(async (tx) => {
        await db.execute(insert(4))
        await drizzle({ client: tx.client }).transaction(async (own) => {
          await own.execute(insert(5))
          await own.transaction((nested) => nested.execute(insert(6))).catch(() => {})
        })
        await db
          .transaction(async (own) => {
            await own.execute(insert(98))
            throw new Error('no')
          })
          .catch(() => {})
      })
      await door
        .transaction(async () => {
          await db.execute(insert(97))
          throw new Error('no')
        })
        .catch(() => {})
      expect(await numbersIn(door, table)).toEqual([1, 2, 3, 4, 5, 6])
      await expect(db.execute(sql.raw('select 1 / 0'))).rejects.toMatchObject({
        cause: { details: { sqlState: '22012' } },
      })
      const result: unknown = await db.execute(sql`select ${'a'}::text as a, ${7}::int as b`)
      expect(result).toMatchObject({ rows: [{ a: 'a', b: 7 }], rowCount: 1 })
    },
  },
]

/** Runs `work` outside of the transaction that the caller is in. */
const outside = AsyncResource.bind((work: () => Promise<unknown>): Promise<unknown> => work())

/** A point that nobody passes before `count` have arrived. */
function meeting(count: number): { arrive(): Promise<void> } {
  const all = Promise.withResolvers<void>()
  let here = 0
  return {
    arrive() {
      if (++here >= count) all.resolve()
      return all.promise
    },
  }
}
