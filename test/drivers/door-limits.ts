import { expect, vi } from 'vitest'
import { createStatement } from '../../src/postgres/index.ts'
import { createTable, openDoor, rowsOf, run, valueOf, type DoorCase } from './door.ts'

const slow = 'select pg_sleep(30)'

/** What the door promises of slow statements, cancellation, and notifications. */
export const limitCases: readonly DoorCase[] = [
  {
    name: 'slow statements hold back no fast ones, even when there are more of them than connections',
    needs: ['many sessions', 'cancellation'],
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 3 })
      const stop = new AbortController()
      // Each is sent with fast statements before and behind it in the same pipelines.
      const work = [1, 2, 3].map(() => {
        const fast = Array.from({ length: 40 }, (_, n) => valueOf(door, 'select $1::int', [n]))
        const sleep = valueOf(door, slow, [], { signal: stop.signal })
        const { signal } = new AbortController()
        const behind = Array.from({ length: 40 }, (_, n) => valueOf(door, 'select $1::int', [n], { signal }))
        return { sleep, fast: [...fast, ...behind] }
      })
      let slept = 0
      const sleeps = work.map(({ sleep }) => sleep.finally(() => slept++).catch((error: unknown) => error))
      const numbers = Array.from({ length: 80 }, (_, n) => String(n % 40))
      for (const { fast } of work) expect(await Promise.all(fast)).toEqual(numbers)
      expect(await Promise.all(Array.from({ length: 200 }, () => valueOf(door, 'select 1')))).toHaveLength(200)
      expect(slept, 'all fast statements were answered before any slow one').toBe(0)
      stop.abort()
      for (const sleep of sleeps) expect(await sleep).toMatchObject({ code: 'PLIMSOLL_STATEMENT_CANCELLED' })
    },
  },
  {
    name: 'a statement that may write is never run twice to get it past a slow one',
    needs: ['many sessions', 'cancellation'],
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1 })
      const table = await createTable(door, 'n int')
      await run(
        door,
        `create function ${table}_add() returns int language sql as 'insert into ${table} values (1) returning n'`,
      )
      const slept = door.execute(createStatement('select pg_sleep(0.4)'), [])
      const added = Array.from({ length: 5 }, () => door.execute(createStatement(`select ${table}_add()`), []))
      const reads = Array.from({ length: 5 }, () => valueOf(door, 'select 1'))
      await Promise.all([slept, ...added, ...reads])
      expect(await valueOf(door, `select count(*) from ${table}`)).toBe('5')
    },
  },
  {
    name: 'cancellations on several connections at once leave all of them in use',
    needs: ['many sessions', 'cancellation', 'own sessions'],
    async run(engine) {
      await using door = await openDoor(engine)
      const pids = async (): Promise<number> =>
        new Set(await Promise.all(Array.from({ length: 60 }, () => valueOf(door, 'select pg_backend_pid()')))).size
      await vi.waitFor(async () => expect(await pids()).toBe(3), { timeout: 10_000 })
      const reads = Array.from({ length: 60 }, (_, n) => valueOf(door, 'select $1::int', [n]))
      const stop = new AbortController()
      const slow = Array.from({ length: 6 }, () =>
        valueOf(door, 'select pg_sleep(30)', [], { signal: stop.signal }).catch((error: unknown) => error),
      )
      stop.abort()
      for (const outcome of await Promise.all(slow))
        expect(outcome).toMatchObject({ code: 'PLIMSOLL_STATEMENT_CANCELLED' })
      expect(await Promise.all(reads)).toEqual(Array.from({ length: 60 }, (_, n) => String(n)))
      await vi.waitFor(async () => expect(await pids()).toBe(3), { timeout: 10_000 })
    },
  },
  {
    name: 'a batch whose turn has not come can be cancelled, and settles',
    needs: ['many sessions', 'cancellation'],
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1, maxSharedConnections: 1, maxPipelineDepth: 1 })
      const stop = new AbortController()
      const holding = valueOf(door, slow, [], { signal: stop.signal }).catch((error: unknown) => error)
      const other = new AbortController()
      const items = [1, 2].map((n) => ({ statement: createStatement(`select ${n}`), values: [] }))
      const batch = door.batch(items, { signal: other.signal })
      other.abort()
      await expect(batch).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_CANCELLED' })
      stop.abort()
      await holding
    },
  },
  {
    name: 'transactions one after another leave room for reads between them',
    async run(engine) {
      await using door = await openDoor(engine, { maxTransactions: 1 })
      // So that nobody has to connect first.
      await Promise.all([valueOf(door, 'select 1'), door.transaction((tx) => valueOf(tx, 'select 1'))])
      const read = { came: false }
      // Some always wait for their turn: a read that has to let all of them pass never comes.
      const line = async (): Promise<void> => {
        while (!read.came) await door.transaction((tx) => valueOf(tx, 'select 1'))
      }
      const lines = [line(), line(), line(), line()]
      expect(await valueOf(door, 'select 1').finally(() => (read.came = true))).toBe('1')
      await Promise.all(lines)
    },
  },
  {
    name: 'a signal cancels its own statement on the server, and none of its neighbours',
    needs: ['cancellation'],
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1, maxSharedConnections: 1 })
      for (let round = 0; round < 5; round++) {
        const stop = new AbortController()
        const before = Array.from({ length: 10 }, (_, n) => valueOf(door, 'select $1::int', [n]))
        const cancelled = valueOf(door, slow, [], { signal: stop.signal })
        const behind = Array.from({ length: 10 }, (_, n) => valueOf(door, 'select $1::int', [n]))
        await Promise.all(before)
        stop.abort()
        await expect(cancelled).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_CANCELLED' })
        expect(await Promise.all(behind)).toEqual(Array.from({ length: 10 }, (_, n) => String(n)))
      }
      expect(
        await valueOf(door, `select count(*) from pg_stat_activity where query = $1 and state = 'active'`, [slow]),
      ).toBe('0')
    },
  },
  {
    name: 'a signal that has aborted already sends nothing, and one that aborts too late changes nothing',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const insert = `insert into ${table} values (1) returning n`
      await expect(valueOf(door, insert, [], { signal: AbortSignal.abort() })).rejects.toMatchObject({
        code: 'PLIMSOLL_STATEMENT_CANCELLED',
      })
      expect(await rowsOf(door, `select n from ${table}`)).toEqual([])
      const late = new AbortController()
      expect(await valueOf(door, insert, [], { signal: late.signal })).toBe('1')
      late.abort()
      expect(await valueOf(door, `select count(*) from ${table}`)).toBe('1')
    },
  },
  {
    name: 'a batch and a cursor can be cancelled too',
    needs: ['cancellation'],
    async run(engine) {
      await using door = await openDoor(engine)
      const stop = new AbortController()
      const statement = { text: slow, name: undefined }
      const batch = door.batch([{ statement, values: [] }], { signal: stop.signal })
      const cursor = door.cursor(statement, [], () => {}, { chunkSize: 1, signal: stop.signal }).next()
      const outcomes = Promise.allSettled([batch, cursor])
      await vi.waitFor(
        async () => {
          const running = `select count(*) from pg_stat_activity where datname = current_database() and state = 'active' and query ~ 'pg_sleep|fetch' and pid <> pg_backend_pid()`
          expect(await valueOf(door, running)).toBe('2')
        },
        { timeout: 10_000 },
      )
      stop.abort()
      for (const outcome of await outcomes) {
        expect(outcome).toMatchObject({ reason: { code: 'PLIMSOLL_STATEMENT_CANCELLED' } })
      }
      expect(await valueOf(door, 'select 1')).toBe('1')
    },
  },
  {
    name: 'a statement that takes longer than its time-out fails with an error of its own',
    needs: ['cancellation'],
    async run(engine) {
      await using door = await openDoor(engine, { statementTimeout: '300ms' })
      const timeout = { code: 'PLIMSOLL_STATEMENT_TIMEOUT' }
      await expect(valueOf(door, slow)).rejects.toMatchObject(timeout)
      await expect(door.transaction((tx) => valueOf(tx, slow))).rejects.toMatchObject(timeout)
      expect(await valueOf(door, 'select pg_sleep(0.6)', [], { timeoutMs: 20_000 })).toBe('')
      await expect(valueOf(door, slow, [], { timeoutMs: 50 })).rejects.toMatchObject(timeout)
      await door.transaction(async (tx) => {
        await expect(tx.transaction((inner) => valueOf(inner, slow, [], { timeoutMs: 50 }))).rejects.toMatchObject(
          timeout,
        )
        expect(await valueOf(tx, 'select pg_sleep(0.6)', [], { timeoutMs: 0 })).toBe('')
      })
      const cursor = async (timeoutMs?: number): Promise<number> => {
        const options = { chunkSize: 1, timeoutMs }
        let chunks = 0
        for await (const _ of door.cursor(createStatement('select pg_sleep(0.6)'), [], () => {}, options)) chunks++
        return chunks
      }
      await expect(cursor()).rejects.toMatchObject(timeout)
      expect(await cursor(20_000)).toBe(1)
      expect(await valueOf(door, 'select 1')).toBe('1')
    },
  },
  {
    name: 'a transaction can be given a time-out for all of its statements, longer or shorter than the pool has',
    needs: ['cancellation'],
    async run(engine) {
      await using door = await openDoor(engine, { statementTimeout: '300ms' })
      const longer = async () =>
        door.transaction(
          async (tx) => {
            await valueOf(tx, 'select pg_sleep(0.6)')
            await valueOf(tx, 'select pg_sleep(0.1)', [], { timeoutMs: 10_000 })
            await tx.transaction((inner) => valueOf(inner, 'select pg_sleep(1.6)'))
            return 'done'
          },
          { statementTimeout: 0 },
        )
      expect(await longer()).toBe('done')
      const shorter = door.transaction((tx) => valueOf(tx, slow), { statementTimeout: '50ms' })
      await expect(shorter).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_TIMEOUT' })
      const wrong = door.transaction(async () => {}, { statementTimeout: 'soon' as never })
      await expect(wrong).rejects.toMatchObject({ code: 'PLIMSOLL_OPTION_INVALID' })
    },
  },
  {
    name: 'a notification reaches every subscriber of its channel once its transaction has committed',
    needs: ['listen'],
    async run(engine) {
      await using door = await openDoor(engine)
      const channel = `A "quoted" ü channel`
      const heard: string[] = []
      const first = await door.listen(channel, (payload) => heard.push(`first ${payload}`))
      await using _second = await door.listen(channel, (payload) => heard.push(`second ${payload}`))
      await using _other = await door.listen('other', (payload) => heard.push(`other ${payload}`))
      await door
        .transaction(async () => {
          await door.notify(channel, 'rolled back')
          throw new Error('no')
        })
        .catch(() => {})
      await door.transaction(async () => {
        await door.notify(channel, 'a')
        expect(heard).toEqual([])
      })
      await vi.waitFor(() => expect(heard).toEqual(['first a', 'second a']))
      await first.close()
      await first.close()
      await door.notify(channel, 'b')
      await door.notify('other')
      await vi.waitFor(() => expect(heard).toEqual(['first a', 'second a', 'second b', 'other ']))
    },
  },
  {
    name: 'subscriptions that come and go at the same time end as the last one asked',
    needs: ['listen'],
    async run(engine) {
      await using door = await openDoor(engine)
      const heard: string[] = []
      const first = await door.listen('c', (payload) => heard.push(`first ${payload}`))
      const second = door.listen('c', (payload) => heard.push(`second ${payload}`))
      const closed = first.close()
      await Promise.all([second, closed])
      await door.notify('c', 'x')
      await vi.waitFor(() => expect(heard).toEqual(['second x']))
    },
  },
  {
    name: 'a subscriber that throws is a warning, and the others still hear',
    needs: ['listen'],
    async run(engine) {
      await using door = await openDoor(engine)
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
      try {
        const heard: string[] = []
        await door.listen('c', () => {
          throw new Error('mine')
        })
        await door.listen('c', (payload) => heard.push(payload))
        await door.notify('c', 'x')
        await vi.waitFor(() => expect(heard).toEqual(['x']))
        expect(String(warned.mock.calls[0]?.[0])).toContain('mine')
      } finally {
        warned.mockRestore()
      }
    },
  },
  {
    name: 'no more statements wait than the bound allows; the rest are refused at once, and none is lost',
    needs: ['many sessions'],
    async run(engine) {
      const bounds = { sharedConnections: 1, maxSharedConnections: 1, maxPipelineDepth: 2, maxWaiting: 5 }
      await using door = await openDoor(engine, bounds)
      const table = await createTable(door, 'n int')
      const crowd = await Promise.allSettled(
        Array.from({ length: 20 }, (_, n) => run(door, `insert into ${table} values (${n})`)),
      )
      const refused = crowd.filter((outcome) => outcome.status === 'rejected')
      expect(refused).toHaveLength(20 - 2 - 5)
      for (const { reason } of refused) {
        expect(reason).toMatchObject({ code: 'PLIMSOLL_DATABASE_BUSY', details: { outcome: 'none' } })
      }
      expect(await valueOf(door, `select count(*) from ${table}`)).toBe('7')
    },
  },
  {
    name: 'a statement that has no room within its time-out is refused without having been sent',
    needs: ['many sessions', 'cancellation'],
    async run(engine) {
      const bounds = { sharedConnections: 1, maxSharedConnections: 1, maxPipelineDepth: 1 }
      await using door = await openDoor(engine, { ...bounds, statementTimeout: '500ms' })
      const table = await createTable(door, 'n int')
      const holding = valueOf(door, slow).catch((error: unknown) => error)
      const crowd = await Promise.allSettled(
        Array.from({ length: 5 }, () => run(door, `insert into ${table} values (1)`)),
      )
      expect(await holding).toMatchObject({ code: 'PLIMSOLL_STATEMENT_TIMEOUT' })
      const answered = crowd.filter((outcome) => outcome.status === 'fulfilled').length
      for (const outcome of crowd) {
        if (outcome.status === 'rejected') {
          expect(outcome.reason).toMatchObject({ code: 'PLIMSOLL_DATABASE_BUSY', details: { outcome: 'none' } })
        }
      }
      expect(await valueOf(door, `select count(*) from ${table}`)).toBe(String(answered))
    },
  },
]
