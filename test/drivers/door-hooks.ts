import { expect, vi } from 'vitest'
import {
  createStatement,
  type CommitNotice,
  type Transaction,
  type TransactionOutcome,
} from '../../src/postgres/index.ts'
import { createTable, numbersIn, openDoor, run, statementsOf, valueOf, type DoorCase } from './door.ts'

/** What the door promises of hooks around the end of a transaction. */
export const hookCases: readonly DoorCase[] = [
  {
    name: 'the transaction that the caller runs in is known, and its outermost one',
    async run(engine) {
      await using door = await openDoor(engine)
      expect(door.current()).toBeUndefined()
      await door.transaction(async (tx) => {
        expect(door.current()).toBe(tx)
        expect(tx.root).toBe(tx)
        await tx.transaction(async (inner) => {
          expect(door.current()).toBe(inner)
          expect(inner.root).toBe(tx)
          await inner.transaction(async (innermost) => expect(innermost.root).toBe(tx))
        })
        expect(door.current()).toBe(tx)
        tx.afterEnd(() => expect(door.current()).toBeUndefined())
      })
      expect(door.current()).toBeUndefined()
    },
  },
  {
    name: 'a hook before the commit runs once, after the work, and can still write',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const seen: string[] = []
      await door.transaction(async (tx) => {
        tx.beforeCommit(async (own) => {
          expect(own).toBe(tx)
          expect(door.current()).toBe(tx)
          seen.push(`hook after ${(await numbersIn(own, table)).join()}`)
          own.beforeCommit(() => void seen.push('hook of the hook'))
          await run(door, `insert into ${table} values (2)`)
          return undefined
        })
        await run(tx, `insert into ${table} values (1)`)
        seen.push('work')
      })
      expect(seen).toEqual(['work', 'hook after 1', 'hook of the hook'])
      expect(await numbersIn(door, table)).toEqual([1, 2])
    },
  },
  {
    name: 'what a hook returns is sent with the commit, without a round trip of its own',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const insert = createStatement(`insert into ${table} values ($1) returning n`)
      let returned = 0
      let texts: string[] = []
      await door.transaction(async (tx) => {
        await valueOf(tx, 'select 1')
        tx.beforeCommit(() => [{ statement: insert, values: [7], sink: () => void returned++ }])
        tx.afterEnd(() => void (texts = []))
      })
      expect(returned).toBe(1)
      texts = await statementsOf(() =>
        door.transaction(async (tx) => tx.beforeCommit(() => [{ statement: insert, values: [8] }])),
      )
      expect(texts.map((text) => text.split(' ')[0])).toEqual(['begin', 'insert', 'commit'])
      expect(await numbersIn(door, table)).toEqual([7, 8])
    },
  },
  {
    name: 'a statement that leaves with the commit and fails rolls the transaction back, with its error',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int primary key')
      const insert = createStatement(`insert into ${table} values ($1)`)
      const ended: TransactionOutcome[] = []
      const twice = door.transaction(async (tx) => {
        tx.afterEnd((outcome) => void ended.push(outcome))
        tx.afterCommit(() => expect.unreachable())
        tx.beforeCommit(() => [{ statement: insert, values: [1] }])
        tx.beforeCommit(() => [{ statement: insert, values: [1] }])
        await run(tx, `insert into ${table} values (2)`)
      })
      await expect(twice).rejects.toMatchObject({ code: 'PLIMSOLL_CONSTRAINT_VIOLATED' })
      const throwing = door.transaction(async (tx) => {
        tx.afterEnd((outcome) => void ended.push(outcome))
        tx.beforeCommit(() => {
          throw new Error('the hook')
        })
        await run(tx, `insert into ${table} values (3)`)
      })
      await expect(throwing).rejects.toThrow('the hook')
      // The error that aborted it is another one: what was sent with the commit is not to blame.
      const swallowed = door.transaction(async (tx) => {
        tx.beforeCommit(() => [{ statement: insert, values: [4] }])
        await valueOf(tx, 'select 1 / 0').catch(() => {})
      })
      await expect(swallowed).rejects.toMatchObject({ cause: { details: { sqlState: '22012' } } })
      expect(ended).toEqual(['rollback', 'rollback'])
      expect(await numbersIn(door, table)).toEqual([])
    },
  },
  {
    name: 'a notice is sent in one message with the commit, and only with one',
    needs: ['listen'],
    async run(engine) {
      await using door = await openDoor(engine)
      const seen: string[] = []
      await using _heard = await door.listen("the 'channel'", (payload) => seen.push(payload))
      const notice = (payload: string): CommitNotice => ({
        channel: "the 'channel'",
        payload,
        sent: () => seen.push('sent'),
      })
      const undone = door.transaction(async (tx) => {
        tx.beforeCommit(() => [notice('rolled back')])
        throw new Error('no')
      })
      await expect(undone).rejects.toThrow('no')
      const aborted = door.transaction(async (tx) => {
        tx.beforeCommit(() => [notice('aborted')])
        await valueOf(tx, 'select 1 / 0').catch(() => {})
      })
      await expect(aborted).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_FAILED' })
      const odd = `'quoted' \\ "ü" ; -- $1`
      const texts = await statementsOf(() =>
        door.transaction(async (tx) => {
          tx.beforeCommit(() => [notice(odd), { channel: "the 'channel'", payload: 'two' }])
          tx.afterEnd((outcome) => void seen.push(outcome))
          await valueOf(tx, 'select 1')
        }),
      )
      await vi.waitFor(() => expect(seen).toHaveLength(4))
      expect(seen.indexOf('sent')).toBeLessThan(seen.indexOf('commit'))
      expect(seen.filter((line) => line !== 'sent' && line !== 'commit')).toEqual([odd, 'two'])
      expect(texts, 'what is told of it').toEqual(['begin', 'select 1', 'commit'])
    },
  },
  {
    name: 'a notice that fails leaves the commit as it is, and is not said to be sent',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const ended: TransactionOutcome[] = []
      await door.transaction(async (tx) => {
        tx.beforeCommit(() => [{ channel: 'c', payload: 'x'.repeat(8000), sent: () => expect.unreachable() }])
        tx.afterEnd((outcome) => void ended.push(outcome))
        await run(tx, `insert into ${table} values (1)`)
      })
      expect(ended).toEqual(['commit'])
      expect(await numbersIn(door, table)).toEqual([1])
    },
  },
  {
    name: 'hooks of a savepoint that is rolled back stay, but for those after the commit',
    async run(engine) {
      await using door = await openDoor(engine)
      const seen: string[] = []
      await door.transaction(async (tx) => {
        tx.afterCommit(() => void seen.push('after the commit'))
        await tx
          .transaction(async (inner) => {
            inner.beforeCommit(() => void seen.push('before'))
            inner.afterEnd((outcome) => void seen.push(outcome))
            inner.afterCommit(() => expect.unreachable())
            throw new Error('no')
          })
          .catch(() => {})
        expect(seen).toEqual([])
      })
      expect(seen).toEqual(['before', 'commit', 'after the commit'])
    },
  },
  {
    name: 'every attempt of a transaction that is run again has its own end',
    async run(engine) {
      await using door = await openDoor(engine)
      const ended: TransactionOutcome[] = []
      let attempts = 0
      await door.transaction(
        async (tx) => {
          tx.afterEnd((outcome) => void ended.push(outcome))
          if (++attempts < 3) await run(tx, `do $$ begin raise sqlstate '40001'; end $$`)
        },
        { retries: 5 },
      )
      expect(ended).toEqual(['rollback', 'rollback', 'commit'])
    },
  },
  {
    name: 'a hook at the end that fails is a warning, and one that is asked for too late is refused',
    async run(engine) {
      await using door = await openDoor(engine)
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
      try {
        let leaked: Transaction | undefined
        let ran = false
        await door.transaction(async (tx) => {
          leaked = tx
          tx.afterEnd(() => Promise.reject(new Error('the hook')))
          tx.afterEnd(() => void (ran = true))
        })
        expect(ran).toBe(true)
        expect(String(warned.mock.calls[0]?.[0])).toContain('the hook')
        expect(() => leaked!.beforeCommit(() => undefined)).toThrow(/has ended/)
        expect(() => leaked!.afterEnd(() => {})).toThrow(/has ended/)
      } finally {
        warned.mockRestore()
      }
    },
  },
]
