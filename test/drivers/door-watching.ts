import { drizzle } from 'drizzle-orm/node-postgres'
import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { createStatement, type Postgres, type Transaction } from '../../src/postgres/index.ts'
import { createTable, numbersIn, openDoor, run, rowsOf, valueOf, type DoorCase } from './door.ts'

interface Watched {
  /** Texts that were shown. */
  readonly shown: string[]
  /** Tags noted on a transaction, with how that has ended. */
  readonly ended: string[]
  /** Tags of writes outside of transactions, once they have run. */
  readonly alone: string[]
}

/** Watches a door: every text that holds `insert` has the tag `written`. */
function watch(door: Postgres, { wrap = false } = {}): Watched {
  const watched: Watched = { shown: [], ended: [], alone: [] }
  const noted = new WeakSet<Transaction>()
  door.watchWrites({
    tagsOf(text) {
      watched.shown.push(text)
      return text.includes('insert') ? ['written'] : []
    },
    note({ root }, tags) {
      if (noted.has(root)) return
      noted.add(root)
      root.afterEnd((outcome) => void watched.ended.push(`${tags.join()} ${outcome}`))
    },
    async write(work, { tags, alone }) {
      const result = await (wrap && !alone ? door.transaction(work) : work())
      watched.alone.push(alone ? `${tags.join()} alone` : tags.join())
      return result
    },
  })
  return watched
}

/** What the door shows to whoever watches writes. */
export const watchingCases: readonly DoorCase[] = [
  {
    name: 'a watcher sees what nobody else reports: plain statements and Drizzle, outside and inside transactions',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const db = drizzle({ client: door.client })
      const insert = (n: number) => sql.raw(`insert into ${table} values (${n})`)
      const watched = watch(door)
      await run(door, `insert into ${table} values (1)`)
      await db.execute(insert(2))
      expect(watched.alone).toEqual(['written', 'written'])
      await door.transaction(async (tx) => {
        await tx.transaction((inner) => run(inner, `insert into ${table} values (3)`))
      })
      await door.transaction(() => db.execute(insert(4)))
      await door.transaction((tx) => drizzle({ client: tx.client }).execute(insert(5)))
      await door.transaction((tx) => drizzle({ client: tx.client }).transaction((own) => own.execute(insert(6))))
      await door
        .transaction(async () => {
          await db.execute(insert(99))
          throw new Error('no')
        })
        .catch(() => {})
      expect(watched.ended).toEqual([...Array.from({ length: 4 }, () => 'written commit'), 'written rollback'])
      door.watchWrites(undefined)
      await run(door, `insert into ${table} values (7)`)
      expect(watched.alone).toHaveLength(2)
      expect(await numbersIn(door, table)).toEqual([1, 2, 3, 4, 5, 6, 7])
    },
  },
  {
    name: 'a watcher is shown no reads, no tracked writes, and nothing of a read-only transaction',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const watched = watch(door)
      const tracked = createStatement(`insert into ${table} values ($1)`, { tracked: true })
      await door.execute(tracked, [1])
      await rowsOf(door, `select n from ${table}`)
      await door.notify('nobody')
      await door.transaction(async (tx) => {
        await tx.execute(tracked, [2])
        await rowsOf(tx, `select n from ${table}`)
      })
      expect(watched.shown).toEqual([])
      await door.transaction((tx) => run(tx, `explain insert into ${table} values (3)`), { readOnly: true })
      expect(watched.ended).toEqual([])
    },
  },
  {
    name: 'a write outside can be run in a transaction by its watcher, but for what may end one',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const db = drizzle({ client: door.client })
      const watched = watch(door, { wrap: true })
      await run(door, `insert into ${table} values (1)`)
      await db.execute(sql.raw(`insert into ${table} values (2)`))
      expect(watched).toMatchObject({ alone: ['written', 'written'], ended: ['written commit', 'written commit'] })
      await run(door, `do $$ begin insert into ${table} values (3); commit; end $$`)
      expect(watched.alone.at(-1)).toBe('written alone')
      const failing = db.execute(sql.raw(`insert into ${table} values ('x')`))
      await expect(failing).rejects.toMatchObject({ cause: { code: 'PLIMSOLL_VALUE_INVALID' } })
      expect(watched.ended.at(-1)).toBe('written rollback')
      expect(await numbersIn(door, table)).toEqual([1, 2, 3])
    },
  },
  {
    name: 'transactions that Drizzle begins by hand on a client of the pool are seen to their end',
    async run(engine) {
      await using door = await openDoor(engine, { maxTransactions: 1 })
      const table = await createTable(door, 'n int unique deferrable initially deferred')
      const db = drizzle({ client: door.client })
      const insert = (n: number) => sql.raw(`insert into ${table} values (${n})`)
      const watched = watch(door)
      await db.transaction(async (own) => {
        await own.execute(insert(1))
        await own
          .transaction(async (nested) => {
            await nested.execute(insert(2))
            nested.rollback()
          })
          .catch(() => {})
        expect(watched.ended).toEqual([])
      })
      expect(watched.ended).toEqual(['written commit'])
      await db
        .transaction(async (own) => {
          await own.execute(insert(9))
          throw new Error('no')
        })
        .catch(() => {})
      // Refused by the commit.
      await db.transaction((own) => own.execute(insert(1))).catch(() => {})
      expect(watched.ended).toEqual(['written commit', 'written rollback', 'written rollback'])
      // Read-only: whatever its statements look like.
      await db.transaction((own) => own.execute(sql.raw(`explain insert into ${table} values (1)`)), {
        accessMode: 'read only',
      })
      expect(watched.ended).toHaveLength(3)
      expect(await numbersIn(door, table)).toEqual([1])
    },
  },
  {
    name: 'what goes with the commit goes with one by hand too, and a client that is given back open has rolled back',
    async run(engine) {
      await using door = await openDoor(engine, { maxTransactions: 1 })
      const table = await createTable(door, 'n int primary key')
      const statement = createStatement(`insert into ${table} values (1)`, { tracked: true })
      const ended: string[] = []
      door.watchWrites({
        tagsOf: (text) => (text.includes('insert') ? ['written'] : []),
        note(transaction) {
          transaction.beforeCommit(() => [{ statement, values: [] }])
          transaction.afterEnd((outcome) => void ended.push(outcome))
        },
        write: (work) => work(),
      })
      const db = drizzle({ client: door.client })
      await db.transaction((own) => own.execute(sql.raw(`insert into ${table} values (2)`)))
      expect(await numbersIn(door, table)).toEqual([1, 2])
      const refused = db.transaction((own) => own.execute(sql.raw(`insert into ${table} values (3)`)))
      await expect(refused).rejects.toMatchObject({ cause: { code: 'PLIMSOLL_CONSTRAINT_VIOLATED' } })
      const pool = door.client as unknown as {
        connect(): Promise<{ query(text: string): Promise<unknown>; release(): void }>
      }
      const client = await pool.connect()
      await client.query('begin')
      await client.query(`insert into ${table} values (4)`)
      client.release()
      await expect.poll(() => ended).toEqual(['commit', 'rollback', 'rollback'])
      expect(await valueOf(door, `select count(*) from ${table}`)).toBe('2')
    },
  },
  {
    name: 'a notice goes with a commit by hand too, whose result is that of any other',
    needs: ['listen'],
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int primary key')
      const heard: string[] = []
      await using _heard = await door.listen('c', (payload) => heard.push(payload))
      let sent = 0
      door.watchWrites({
        tagsOf: (text) => (text.includes('insert') ? ['written'] : []),
        note: (transaction) =>
          transaction.beforeCommit(() => [{ channel: 'c', payload: 'x', sent: () => void sent++ }]),
        write: (work) => work(),
      })
      const pool = door.client as unknown as {
        connect(): Promise<{ query(text: string): Promise<Record<string, unknown>>; release(): void }>
      }
      const client = await pool.connect()
      const endings = ['COMMIT;', 'end transaction', 'commit /* by hand */', 'rollback', 'commit']
      const results: unknown[] = []
      for (const [n, ending] of endings.entries()) {
        await client.query('begin')
        // The last one twice, which aborts its transaction.
        const text = `insert into ${table} values (${Math.min(n, 3)})`
        await client.query(text).catch(() => {})
        if (n === 4) await client.query(text).catch(() => {})
        const { command, rows } = await client.query(ending)
        results.push([command, rows])
      }
      client.release()
      expect(results).toEqual(['COMMIT', 'COMMIT', 'COMMIT', 'ROLLBACK', 'ROLLBACK'].map((command) => [command, []]))
      expect(sent, 'not with a text that holds more').toBe(2)
      await expect.poll(() => heard).toEqual(['x', 'x'])
    },
  },
]
