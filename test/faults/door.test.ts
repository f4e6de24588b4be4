import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { isPlimsollError } from '../../src/core/errors.ts'
import { observe } from '../../src/core/events.ts'
import { createStatement, openPostgres, type Postgres, type PostgresOptions } from '../../src/postgres/index.ts'
import { createTable, rowsOf, run, valueOf } from '../drivers/door.ts'
import { createDatabase, type Database } from '../servers/database.ts'
import { copyPgliteTemplate } from '../servers/pglite-template.ts'
import { hasPgBouncer, startPgBouncer } from '../servers/pgbouncer.ts'
import { startPostgres, type PostgresServer } from '../servers/postgres.ts'
import { Wire } from '../servers/wire.ts'

const unreachable = { code: 'PLIMSOLL_DATABASE_UNREACHABLE' }
const unreachableOrClosed = { code: expect.stringMatching(/_(?:UNREACHABLE|CLOSED)$/) as string }
const forever = { timeout: 30_000, interval: 20 }

describe.runIf(inject('postgresUrl'))('the door when its connections break', () => {
  let database: Database
  beforeAll(async () => {
    database = await createDatabase()
  })
  afterAll(() => database.drop())

  async function open(options: Partial<PostgresOptions> = {}): Promise<Postgres> {
    const door = await openPostgres({ url: database.url, ...options })
    onTestFinished(() => door.close())
    return door
  }

  async function openOverWire(options: Partial<PostgresOptions> = {}): Promise<{ door: Postgres; wire: Wire }> {
    const wire = new Wire(database.url)
    await wire.join()
    const door = await open({ url: wire.url, ...options })
    onTestFinished(() => wire.cut())
    return { door, wire }
  }

  /** Ends the sessions of `door` again and again for as long as `work` takes, from outside. */
  async function whileKilling(application: string, work: Promise<unknown>): Promise<number> {
    const killer = await openPostgres({ url: database.url, applicationName: 'killer' })
    let kills = 0
    let working = true
    const done = work.finally(() => {
      working = false
    })
    // oxlint-disable-next-line no-unmodified-loop-condition -- the promise above ends it
    while (working) {
      const text = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 order by random() limit 2`
      kills += (await rowsOf(killer, text, [application])).length
      await valueOf(killer, 'select pg_sleep(0.02)')
    }
    await killer.close()
    await done
    return kills
  }

  test('no read is lost and none gets the answer of another while sessions are being killed', async () => {
    const door = await open({ applicationName: 'reader' })
    let lost = 0
    const read = async (): Promise<void> => {
      for (let n = 0; n < 150; n++) {
        const text = `select $1::int, repeat('x', 2000) from generate_series(1, 3)`
        const rows = await rowsOf(door, text, [n]).catch((error: unknown) => {
          // A read that had begun to arrive, or was killed twice, is the caller's to repeat.
          expect(error).toMatchObject({ ...unreachable, details: { outcome: 'none' } })
          lost++
          return undefined
        })
        if (rows !== undefined) expect(rows.map(([value]) => value)).toEqual(Array(3).fill(String(n)))
      }
    }
    const kills = await whileKilling('reader', Promise.all(Array.from({ length: 20 }, read)))
    expect(kills).toBeGreaterThan(5)
    expect(lost, `of 3000 reads, with ${kills} sessions killed`).toBeLessThan(300)
    expect(await valueOf(door, 'select 1')).toBe('1')
  })

  test('a write that was acknowledged is there, and one that was not is there at most once', async () => {
    const door = await open({ applicationName: 'writer' })
    const table = await createTable(door, 'n int')
    const insert = createStatement(`insert into ${table} values ($1)`)
    const acknowledged: number[] = []
    const refused: number[] = []
    const write = async (worker: number): Promise<void> => {
      for (let i = 0; i < 150; i++) {
        const n = worker * 1000 + i
        try {
          if (i % 3 === 0) await door.transaction((tx) => tx.execute(insert, [n]))
          else await door.execute(insert, [n])
          acknowledged.push(n)
        } catch (error) {
          expect(error).toMatchObject(unreachable)
          refused.push(n)
        }
      }
    }
    const kills = await whileKilling('writer', Promise.all(Array.from({ length: 10 }, (_, worker) => write(worker))))
    expect(kills).toBeGreaterThan(5)
    const stored = (await rowsOf(door, `select n from ${table}`)).map(([n]) => Number(n))
    expect(new Set(stored).size, 'nothing is stored twice').toBe(stored.length)
    expect(
      acknowledged.filter((n) => !stored.includes(n)),
      'acknowledged and lost',
    ).toEqual([])
    expect(acknowledged.length + refused.length).toBe(1500)
  })

  test('a connection that ends within a message fails or repeats its statements, and never hands on half a row', async () => {
    const { door, wire } = await openOverWire()
    for (const bytes of [1, 3, 7, 500, 9_000, 100_000]) {
      const reads = Array.from({ length: 6 }, (_, n) =>
        rowsOf(door, `select $1::int, repeat('y', 5000) from generate_series(1, 5)`, [n]),
      )
      wire.cutWithin(bytes)
      const outcomes = await Promise.allSettled(reads)
      outcomes.forEach((outcome, n) => {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject(unreachable)
        else expect(outcome.value).toEqual(Array.from({ length: 5 }, () => [String(n), 'y'.repeat(5000)]))
      })
      await vi.waitFor(async () => expect(await valueOf(door, 'select 1')).toBe('1'), forever)
    }
  })

  test('a transaction whose connection is lost fails, and its work is gone', async () => {
    const { door, wire } = await openOverWire()
    const table = await createTable(door, 'n int')
    let hooks = 0
    const cut = door.transaction(async (tx) => {
      tx.afterCommit(() => void hooks++)
      await run(tx, `insert into ${table} values (1)`)
      wire.drop()
      await valueOf(tx, 'select 1')
    })
    await expect(cut).rejects.toMatchObject(unreachable)
    await vi.waitFor(async () => expect(await valueOf(door, `select count(*) from ${table}`)).toBe('0'), forever)
    expect(hooks).toBe(0)
    expect(await door.transaction((tx) => valueOf(tx, 'select 1'))).toBe('1')
  })

  test('a commit whose answer is lost says that its outcome is unknown', async () => {
    const { door, wire } = await openOverWire()
    const table = await createTable(door, 'n int')
    const ended: string[] = []
    const unsure = door.transaction(async (tx) => {
      await run(tx, `insert into ${table} values (1)`)
      tx.beforeCommit(() => [{ statement: createStatement(`insert into ${table} values (2)`), values: [] }])
      tx.afterCommit(() => void ended.push('committed'))
      tx.afterEnd((outcome) => void ended.push(outcome))
      // The answer to the commit will be cut within its first message.
      wire.cutWithin(2)
    })
    await expect(unsure).rejects.toMatchObject({ ...unreachable, details: { outcome: 'unknown' } })
    expect(ended).toEqual(['unknown'])
  })

  test('a notice is sent with its commit although its process hears of neither', async () => {
    const { door, wire } = await openOverWire()
    const other = await open()
    const heard: string[] = []
    await other.listen('notices', (payload) => heard.push(payload))
    const table = await createTable(other, 'n int')
    const unsure = door.transaction(async (tx) => {
      await run(tx, `insert into ${table} values (1)`)
      tx.beforeCommit(() => [{ channel: 'notices', payload: 'written', sent: () => heard.push('sent') }])
      wire.cutWithin(0)
    })
    await expect(unsure).rejects.toMatchObject({ ...unreachable, details: { outcome: 'unknown' } })
    await vi.waitFor(() => expect(heard).toEqual(['written']), forever)
    expect(await valueOf(other, `select count(*) from ${table}`)).toBe('1')
  })

  test('a commit that could not be sent has rolled back', async () => {
    const { door, wire } = await openOverWire()
    const ended: string[] = []
    const cut = door.transaction(async (tx) => {
      tx.afterEnd((outcome) => void ended.push(outcome))
      await valueOf(tx, 'select 1')
      wire.drop()
      await valueOf(tx, 'select 1').catch(() => {})
    })
    await expect(cut).rejects.toMatchObject({ ...unreachable, details: { outcome: 'none' } })
    expect(ended).toEqual(['rollback'])
  })

  test('no more statements are under way on a connection than its depth allows', async () => {
    const bounds = { sharedConnections: 1, maxSharedConnections: 1, maxPipelineDepth: 4 }
    const { door, wire } = await openOverWire(bounds)
    const slow = valueOf(door, 'select pg_sleep(0.3)')
    const reads = Array.from({ length: 100 }, (_, n) => valueOf(door, 'select $1::int', [n]))
    expect(await Promise.all(reads)).toEqual(Array.from({ length: 100 }, (_, n) => String(n)))
    await slow
    expect(wire.mostUnanswered).toBe(4)
  })

  test('reconnecting backs off, one attempt at a time, and ends when the server is back', async () => {
    const { door, wire } = await openOverWire()
    const retries: number[] = []
    const stop = observe((event) => {
      if (event.type === 'connection.retry') retries.push(event.delayMs)
    })
    onTestFinished(stop)
    await wire.cut()
    await vi.waitFor(() => expect(retries.length).toBeGreaterThanOrEqual(4), forever)
    await expect(valueOf(door, 'select 1')).rejects.toMatchObject(unreachable)
    expect(retries[3]).toBeGreaterThan(retries[0]!)
    await wire.join()
    await vi.waitFor(async () => expect(await valueOf(door, 'select 1')).toBe('1'), forever)
  })

  test('a connection that has gone dead without closing is found by the time-out, cut, and replaced', async () => {
    const { door, wire } = await openOverWire({ sharedConnections: 1, statementTimeout: '200ms', connectTimeout: '1s' })
    expect(await valueOf(door, 'select 1')).toBe('1')
    wire.goDead()
    const outcomes = await Promise.allSettled([valueOf(door, 'select 2'), valueOf(door, 'select 3')])
    for (const outcome of outcomes) expect(outcome.status).toBe('rejected')
    for (const outcome of outcomes as PromiseRejectedResult[]) expect(isPlimsollError(outcome.reason)).toBe(true)
    wire.comeBack()
    await vi.waitFor(async () => expect(await valueOf(door, 'select 1')).toBe('1'), forever)
  })

  test('a frozen session holds up its own statement alone, until its time-out', async () => {
    const door = await open({ sharedConnections: 2, statementTimeout: '300ms' })
    const pids = new Set<string>()
    await vi.waitFor(async () => {
      const seen = await Promise.all([1, 2, 3, 4].map(() => valueOf(door, 'select pg_backend_pid()')))
      for (const pid of seen) pids.add(pid!)
      expect(pids.size).toBe(2)
    }, forever)
    const [frozen] = pids
    execFileSync('kill', ['-STOP', frozen!])
    try {
      const reads = Array.from({ length: 10 }, () => valueOf(door, 'select 1'))
      const outcomes = await Promise.allSettled(reads)
      expect(outcomes.filter((outcome) => outcome.status === 'rejected').length).toBeLessThanOrEqual(1)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'PLIMSOLL_STATEMENT_TIMEOUT' })
      }
      expect(await Promise.all(Array.from({ length: 20 }, () => valueOf(door, 'select 1')))).toHaveLength(20)
    } finally {
      execFileSync('kill', ['-CONT', frozen!])
    }
  })

  test('a storm of cancellations settles every statement, and hits none that was not meant', async () => {
    const door = await open()
    const outcomes = await Promise.all(
      Array.from({ length: 300 }, async (_, n) => {
        const stop = new AbortController()
        const meant = n % 3 === 0
        const text = meant ? 'select $1::int from pg_sleep(0.05)' : 'select $1::int'
        const value = valueOf(door, text, [n], { signal: stop.signal }).catch((error: unknown) => error)
        if (meant) setTimeout(() => stop.abort(), (n * 7) % 60)
        return { n, meant, value: await value }
      }),
    )
    for (const { n, meant, value } of outcomes) {
      if (isPlimsollError(value, 'PLIMSOLL_STATEMENT_CANCELLED')) expect(meant, `statement ${n}`).toBe(true)
      else expect(value).toBe(String(n))
    }
    expect(outcomes.filter(({ value }) => value instanceof Error).length).toBeGreaterThan(20)
    expect(await Promise.all(Array.from({ length: 50 }, () => valueOf(door, 'select 1')))).toHaveLength(50)
  })

  test('a statement of a frozen session that is cancelled settles, after a bounded number of requests', async () => {
    const door = await open({ sharedConnections: 1, maxSharedConnections: 1, statementTimeout: 0 })
    const pid = (await valueOf(door, 'select pg_backend_pid()'))!
    execFileSync('kill', ['-STOP', pid])
    try {
      const stop = new AbortController()
      const cancelled = valueOf(door, 'select 1', [], { signal: stop.signal })
      stop.abort()
      await expect(cancelled).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_CANCELLED' })
      await vi.waitFor(async () => expect(await valueOf(door, 'select 1')).toBe('1'), forever)
    } finally {
      execFileSync('kill', ['-CONT', pid])
    }
  })

  test('who waits for a connection and gives up leaves none of them lost', async () => {
    const door = await open({ maxTransactions: 1, transactionWait: '5s', applicationName: 'waiter' })
    const kill = createStatement(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'waiter' and query = 'begin'`,
    )
    for (let round = 0; round < 10; round++) {
      const stop = new AbortController()
      const held = door.transaction(async () => {
        // Its connection goes away while somebody waits, who gives up while another is being opened.
        await door.notify('nobody').catch(() => {})
        setTimeout(() => stop.abort(), round)
        const client = await openPostgres({ url: database.url })
        await client.execute(kill, [])
        await client.close()
      })
      const gaveUp = door.transaction(async () => {}, { signal: stop.signal })
      await Promise.allSettled([held, gaveUp])
      expect(await door.transaction((tx) => valueOf(tx, 'select 1'))).toBe('1')
    }
  })

  test('batches that cannot be sent fail instead of waiting for ever', async () => {
    const { door, wire } = await openOverWire({ connectTimeout: '1s' })
    await wire.cut()
    const items = [1, 2].map((n) => ({ statement: createStatement(`select ${n}`, { readOnly: true }), values: [] }))
    for (let i = 0; i < 5; i++) await expect(door.batch(items)).rejects.toMatchObject(unreachable)
  })

  test('closing ends also under a load that never stops', async () => {
    const door = await open()
    let asking = true
    const load = Array.from({ length: 50 }, async () => {
      // oxlint-disable-next-line no-unmodified-loop-condition -- the first refusal ends it
      while (asking) {
        await valueOf(door, 'select 1').catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'PLIMSOLL_DATABASE_CLOSED' })
          asking = false
        })
      }
    })
    await valueOf(door, 'select 1')
    await door.close()
    await Promise.all(load)
  })

  test('a subscriber hears again after its session was killed', async () => {
    const door = await open({ applicationName: 'listener' })
    const heard: string[] = []
    await door.listen('news', (payload) => heard.push(payload))
    const kill = `select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'listener' and query like 'listen%'`
    expect(await valueOf(door, kill)).toBe('1')
    // A NOTIFY that nobody listens to is gone, so it is sent until it is heard.
    await vi.waitFor(async () => {
      await door.notify('news', 'back')
      expect(heard).toContain('back')
    }, forever)
  })

  test('a subscriber is told when it misses notifications, and knows up to when it has heard all', async () => {
    const { door, wire } = await openOverWire()
    const other = await open()
    const told: string[] = []
    const subscription = await door.listen('news', (payload) => told.push(payload), {
      onLost: () => told.push('lost'),
      onBack: () => told.push('back'),
    })
    subscription.pingEvery(50)
    for (let n = 0; n < 40; n++) {
      await other.notify('news', String(n))
      const acknowledged = performance.now()
      while (subscription.heardUntil <= acknowledged) await new Promise(setImmediate)
      expect(told.at(-1), 'heard before the answer that came after it').toBe(String(n))
    }
    told.length = 0
    wire.goDead()
    wire.comeBack()
    // Nobody has closed the connection: 20 questions go without an answer.
    await vi.waitFor(() => expect(told).toEqual(['lost', 'back']), forever)
    expect(subscription.heardUntil).toBeGreaterThan(0)
    await other.notify('news', 'again')
    await vi.waitFor(() => expect(told).toEqual(['lost', 'back', 'again']), forever)
    await wire.cut()
    await vi.waitFor(() => expect(told.at(-1)).toBe('lost'), forever)
    expect(subscription.heardUntil).toBe(Number.NEGATIVE_INFINITY)
  })

  test('a door that is closed while its server is away ends, and takes nobody with it', async () => {
    const { door, wire } = await openOverWire()
    await wire.cut()
    const waiting = valueOf(door, 'select 1')
    const closed = door.close()
    await expect(waiting).rejects.toMatchObject(unreachableOrClosed)
    await closed
  })

  test('closing ends when a connection for a transaction cannot be opened, and when reads lose theirs', async () => {
    for (let round = 0; round < 3; round++) {
      const { door, wire } = await openOverWire({ connectTimeout: '2s', statementTimeout: 0 })
      const reads = Array.from({ length: 10 }, () => valueOf(door, 'select pg_sleep(5)'))
      wire.goDead()
      const transaction = door.transaction(async () => {})
      const closed = door.close()
      wire.drop()
      const outcomes = await Promise.allSettled([...reads, transaction])
      for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected' })
      await closed
      await wire.cut()
    }
  })

  test('closing with a limit cuts off a transaction that does not end', async () => {
    const door = await open()
    const never = Promise.withResolvers<void>()
    const table = await createTable(door, 'n int')
    const stuck = door.transaction(async (tx) => {
      await run(tx, `insert into ${table} values (1)`)
      await never.promise
    })
    const slow = valueOf(door, 'select pg_sleep(60)')
    const outcomes = Promise.allSettled([stuck, slow])
    await door.close({ timeout: '200ms' })
    never.resolve()
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: unreachableOrClosed })
    const other = await open()
    expect(await valueOf(other, `select count(*) from ${table}`)).toBe('0')
  })

  test('many rounds of failures and cancellations leave no memory and no connection behind', async () => {
    const door = await open({ applicationName: 'leaky', preparedStatements: 50 })
    const round = async (): Promise<void> => {
      await Promise.allSettled(
        Array.from({ length: 400 }, (_, n) => {
          if (n % 4 === 0) return valueOf(door, 'select 1 / 0')
          if (n % 4 === 1) return valueOf(door, `select ${Math.floor(Math.random() * 1e9)}`)
          if (n % 4 === 2) return valueOf(door, 'select 1', [], { signal: AbortSignal.abort() })
          return door.transaction(async () => {
            throw new Error('no')
          })
        }),
      )
    }
    for (let i = 0; i < 10; i++) await round()
    const before = heapUsed()
    for (let i = 0; i < 30; i++) await round()
    // 12,000 statements: kept by each other they would be many megabytes.
    expect(heapUsed() - before).toBeLessThan(4 * 1024 * 1024)
    const sessions = `select count(*) from pg_stat_activity where application_name = 'leaky'`
    expect(Number(await valueOf(door, sessions))).toBeLessThanOrEqual(3 + 10)
  })
})

describe.runIf(inject('postgresUrl'))('a process with an open door', () => {
  const script = (body: string): string => `
    import { openPostgres, createStatement } from ${JSON.stringify(new URL('../../src/postgres/index.ts', import.meta.url).href)}
    const door = await openPostgres({ url: process.argv[1] })
    await door.execute(createStatement('select 1'), [])
    ${body}
    console.log('idle')`
  const start = (url: string, body: string): ChildProcess =>
    spawn(process.execPath, ['--input-type=module-typescript', '-e', script(body), url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })

  test.each(['PGlite', 'PostgreSQL'])('ends by itself when there is nothing left to do, on %s', async (engine) => {
    const folder = mkdtempSync(join(tmpdir(), 'plimsoll-door-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    copyPgliteTemplate(join(folder, 'db'))
    const child = start(engine === 'PGlite' ? `pglite:${folder}/db` : inject('postgresUrl'), '')
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0)
  })

  test('stays while it listens', async () => {
    const child = start(
      inject('postgresUrl'),
      `await door.listen('stay', (text) => { if (text === 'go') process.exit(7) })`,
    )
    const exit = new Promise((resolve) => child.once('exit', resolve))
    await new Promise((resolve) => child.stdout!.once('data', resolve))
    await using door = await openPostgres({ url: inject('postgresUrl') })
    await door.notify('stay', 'go')
    expect(await exit).toBe(7)
  })
})

describe.runIf(inject('postgresUrl'))('the door when its server restarts', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = (await startPostgres())!
  })
  afterAll(() => server.stop())

  test('fails what was under way, waits, and goes on by itself', async () => {
    await using door = await openPostgres({ url: server.url, connectTimeout: '2s' })
    const table = await createTable(door, 'n int')
    for (let round = 1; round <= 2; round++) {
      const transaction = door.transaction(async (tx) => {
        await run(tx, `insert into ${table} values (1)`)
        await valueOf(tx, 'select pg_sleep(20)')
      })
      const failed = transaction.catch((error: unknown) => error)
      await vi.waitFor(async () => {
        expect(await valueOf(door, `select count(*) from pg_stat_activity where wait_event = 'PgSleep'`)).toBe('1')
      }, forever)
      await server.crash()
      expect(await failed).toMatchObject(unreachable)
      await expect(valueOf(door, 'select 1')).rejects.toMatchObject(unreachable)
      await server.restart()
      await vi.waitFor(async () => expect(await valueOf(door, `select count(*) from ${table}`)).toBe('0'), forever)
    }
  })
})

describe.runIf(inject('postgresUrl') && hasPgBouncer())('the door when its pooler restarts', () => {
  test('finds a pooler that hides what it does not pass on', async () => {
    const database = await createDatabase()
    onTestFinished(database.drop)
    const hidden = await startPgBouncer(database.url, {
      ignoring: ['statement_timeout', 'IntervalStyle', 'extra_float_digits'],
    })
    onTestFinished(hidden.stop)
    await using door = await openPostgres({ url: hidden.url })
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        n % 2 === 0
          ? door.transaction((tx) => valueOf(tx, 'select $1::int', [n]))
          : valueOf(door, 'select $1::int', [n]),
      ),
    )
    expect(answers).toEqual(Array.from({ length: 100 }, (_, n) => String(n)))
    await expect(door.listen('c', () => {})).rejects.toMatchObject({ code: 'PLIMSOLL_FEATURE_UNSUPPORTED' })
  })

  test('goes on with another pooler at the same place', async () => {
    const database = await createDatabase()
    onTestFinished(database.drop)
    const first = await startPgBouncer(database.url)
    const wire = new Wire(first.url)
    await wire.join()
    onTestFinished(() => wire.cut())
    const door = await openPostgres({ url: wire.url })
    onTestFinished(() => door.close())
    expect(await valueOf(door, 'select $1::int', [1])).toBe('1')
    await first.stop()
    await expect(valueOf(door, 'select 1')).rejects.toMatchObject(unreachable)
    const second = await startPgBouncer(database.url)
    onTestFinished(second.stop)
    wire.retarget(second.url)
    await vi.waitFor(async () => expect(await valueOf(door, 'select $1::int', [2])).toBe('2'), forever)
  })
})

function heapUsed(): number {
  gc()
  return process.memoryUsage().heapUsed
}

declare const gc: () => void
