// Over 400 lines: one test after another, none of which needs to know of the others.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'
import { PlimsollError } from '../../src/core/errors.ts'
import { observe, type PlimsollEvent } from '../../src/core/events.ts'
import { databaseEngine, type DatabaseEngineOptions } from '../../src/jobs/drivers/database/database-engine.ts'
import type { Outcome } from '../../src/jobs/contract.ts'
import { ensureJobTables } from '../../src/jobs/drivers/database/job-tables.ts'
import { jobId } from '../../src/jobs/job-id.ts'
import {
  beat,
  cancelJobs,
  countActive,
  finishJobs,
  recoverJobs,
  registerWorker,
  replaceJobs,
  settleJobs,
} from '../../src/jobs/drivers/database/statements.ts'
import { defineJob, type Job, type Jobs } from '../../src/jobs/index.ts'
import { openPostgres, readTexts, type Postgres } from '../../src/postgres/index.ts'
import { z } from 'zod'
import { createDatabase, type Database } from '../servers/database.ts'
import { intercepted, rowsOf, run } from './door.ts'
import { countsOf, eventually, failureOf, gate, setUp, takeOne, type JobsSetup } from './jobs.ts'

/** Short, so that a test need not wait for the looks at the tables. */
const lease = '1s'

/** What the database engine does beneath the promises of all engines. */
describe.runIf(inject('postgresUrl'))('the database engine', () => {
  let database: Database
  let postgres: Postgres
  beforeAll(async () => {
    database = await createDatabase()
    postgres = await openPostgres({ url: database.url })
  })
  afterAll(async () => {
    await postgres.close()
    await database.drop()
  })

  function setup(options: Partial<DatabaseEngineOptions> = {}): JobsSetup {
    return setUp({
      open: async () => ({ postgres, engine: await databaseEngine({ postgres, lease, ...options }) }),
    })
  }

  /** The statements of the process from now on. */
  function statements(): (PlimsollEvent & { type: 'statement' })[] {
    const seen: (PlimsollEvent & { type: 'statement' })[] = []
    onTestFinished(observe((event) => event.type === 'statement' && seen.push(event)))
    return seen
  }

  const lookText = 'with recursive known'

  test('a worker that has nothing to do runs a handful of statements per look', async () => {
    const { define, open } = setup()
    const process = await open(define('job', () => {}))
    await process.work()
    const seen = statements()
    const looks = (): number => seen.filter(({ text }) => text.startsWith(lookText)).length
    await eventually(() => expect(looks()).toBe(5))
    expect(seen.length).toBeLessThanOrEqual(5 * 8)
  })

  test('many jobs that end together are claimed and settled together', async () => {
    const { define, open } = setup({ lease: '1h' })
    let runs = 0
    const job = define('job', () => void runs++)
    const process = await open(job)
    await process.jobs.enqueueMany(job, Array.from({ length: 2000 }).fill(0))
    const seen = statements()
    await process.work({ concurrency: 100 })
    await eventually(() => expect(runs).toBe(2000))
    // One by one they would be 4000.
    expect(seen.length).toBeLessThan(400)
  })

  test('one outcome that the database refuses fails its job, and no other', async () => {
    const { queue, define, open } = setup()
    const job = define('job', (input) => input)
    const process = await open(job)
    await run(postgres, `alter table plimsoll.jobs add constraint no_poison check (output is distinct from '"poison"')`)
    onTestFinished(() => run(postgres, 'alter table plimsoll.jobs drop constraint no_poison').then(() => {}))
    const inputs = Array.from({ length: 60 }, (_, i) => (i === 20 || i === 41 ? 'poison' : i))
    const handles = await process.jobs.enqueueMany(job, inputs)
    await process.work({ concurrency: 100 })
    for (const i of [20, 41]) {
      expect((await failureOf(handles[i]!.result())).message).toContain('What came of it (done) cannot be stored')
      expect(await handles[i]!.status()).toMatchObject({
        state: 'failed',
        error: { name: 'OutcomeRefused', code: 'PLIMSOLL_JOB_OUTPUT_INVALID' },
      })
    }
    await eventually(async () => expect(await countsOf(process, queue)).toEqual({ done: 58, failed: 2 }))
  })

  test('processes that enqueue the same keys in another order at the same time do not end each other', async () => {
    const { define, open } = setup()
    const job = define('job', () => {})
    const processes = [await open(job), await open(job)]
    const keys = Array.from({ length: 300 }, (_, i) => String(i))
    for (let round = 0; round < 3; round++) {
      const enqueue = (jobs: Jobs, order: readonly string[]) =>
        Promise.all(order.map((key) => jobs.enqueue(job, key, { unique: `${round} ${key}` })))
      const handles = await Promise.all([
        enqueue(processes[0]!.jobs, keys),
        enqueue(processes[1]!.jobs, keys.toReversed()),
      ])
      expect(new Set(handles.flat().map(({ id }) => id)).size).toBe(keys.length)
    }
  })

  test('what a deadlock ends is done again, alone, and refused when that goes on', async () => {
    let deadlocks = Number.POSITIVE_INFINITY
    const locked = intercepted(postgres, ({ text }, execute) => {
      const isLocked = text === cancelJobs.text || text === replaceJobs.text
      if (!isLocked || deadlocks-- <= 0) return execute()
      return Promise.reject(new PlimsollError('PLIMSOLL_SERIALIZATION_FAILED', 'It was in the way of others.'))
    })
    const { define, open } = setup({ postgres: locked })
    const job = define('job', () => {})
    const { jobs, engine } = await open(job)
    const { code, message } = await failureOf(engine.cancel([jobId()]))
    expect(code).toBe('PLIMSOLL_SERIALIZATION_FAILED')
    expect(message).toContain('10 times')
    deadlocks = 3
    const handles = [jobs.enqueue(job, 'beside'), jobs.enqueue(job, 'locked', { debounce: { key: 'k', wait: '1h' } })]
    expect((await Promise.all(handles)).map(({ duplicate }) => duplicate)).toEqual([false, false])
    expect(deadlocks).toBe(-1)
  })

  test('a worker whose thread has failed closes all the same', { timeout: 60_000 }, async () => {
    const warnings: string[] = []
    const note = (warning: Error): void => void warnings.push(warning.message)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const { define, open } = setup({ heartbeat: { url: 'nonsense:' }, lease: '1h' })
    const opened = await open(define('job', () => {}))
    const worker = await opened.work()
    await eventually(() => expect(warnings.join()).toContain('The thread that holds the leases of jobs has failed'))
    await worker.close()
  })

  test('a worker that has lost its lease gives up what it runs, and goes on under a new one', async () => {
    const { define, open } = setup()
    const door = gate()
    const reasons: unknown[] = []
    const job = define('job', async (_, { signal, attempt }) => {
      signal.addEventListener('abort', () => reasons.push((signal.reason as Error).message))
      await door.pass()
      return attempt
    })
    const process = await open(job)
    const outcomes: string[] = []
    onTestFinished(observe((event) => event.type === 'job.end' && outcomes.push(event.outcome)))
    await process.work({ concurrency: 4 })
    const handles = await process.jobs.enqueueMany(job, [1, 2])
    await eventually(() => expect(door.arrived).toBe(2))
    // As somebody does who has not heard of it for too long.
    await run(postgres, `update plimsoll.job_workers set alive_until = '-infinity'`)
    await run(postgres, 'delete from plimsoll.job_workers')
    await eventually(() => expect(reasons).toHaveLength(2))
    expect(reasons[0]).toContain('has lost its lease')
    door.open()
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual([1, 1])
    for (const handle of handles) expect(await handle.status()).toMatchObject({ attempts: 1, deaths: 1 })
    expect(outcomes.toSorted()).toEqual(['done', 'done', 'lost', 'lost'])
    expect(door.arrived).toBe(4)
  })

  test('nobody loses a lease that could not be renewed because the server was down', async () => {
    // A lease lasts for longer than the server of the tests has been up.
    const { define, open } = setup({ lease: '7d' })
    const door = gate()
    const job = define('job', () => door.pass())
    const [one, two] = [await open(job), await open(job)]
    await one.work()
    const handle = await one.jobs.enqueue(job, 1)
    await eventually(() => expect(door.arrived).toBe(1))
    await run(postgres, `update plimsoll.job_workers set alive_until = now() - interval '1 hour'`)
    // Somebody else has been quicker to come back.
    await run(postgres, `insert into plimsoll.job_workers (host, pid, alive_until) values ('quick', 1, 'infinity')`)
    onTestFinished(async () => void (await run(postgres, `delete from plimsoll.job_workers where host = 'quick'`)))
    // It looks for what others have left as it begins.
    await two.work()
    door.open()
    await handle.result()
    expect(door.arrived).toBe(1)
    expect(await handle.status()).toMatchObject({ attempts: 1, deaths: 0 })
  })

  describe('the first worker after a silence', () => {
    const hour = 3_600_000
    const gone = "'-infinity'"

    /** Workers whose leases end at these times, and what is left of them when one of them, or a new one, has been there, in minutes. */
    async function leftAfter(ends: readonly string[], who: 'the first' | 'a new one'): Promise<unknown> {
      await ensureJobTables(postgres)
      await run(postgres, 'delete from plimsoll.job_workers')
      const rows = ends.map((end) => `('h', 1, ${end})`).join()
      await run(postgres, `insert into plimsoll.job_workers (host, pid, alive_until) values ${rows}`)
      onTestFinished(async () => void (await run(postgres, 'delete from plimsoll.job_workers')))
      const [first] = (await rowsOf(postgres, 'select id from plimsoll.job_workers order by id')).flat()
      if (who === 'a new one') await readTexts(postgres, registerWorker, ['h', 1, hour])
      else expect(await readTexts(postgres, beat, [first!, hour])).toEqual([[first]])
      // A server that was down is another matter: this one has been up for longer than that.
      await readTexts(postgres, recoverJobs, [3, '{}', 0])
      const left = `select round(extract(epoch from alive_until - clock_timestamp()) / 60) from plimsoll.job_workers order by id`
      return (await rowsOf(postgres, left)).flat().map(Number)
    }
    const inMinutes = (minutes: number): string => `clock_timestamp() + interval '${minutes} minutes'`

    test('has all others given time to come back', async () => {
      expect(await leftAfter([inMinutes(-5), inMinutes(-5), inMinutes(29)], 'the first')).toEqual([60, 45, 45])
      expect(await leftAfter([inMinutes(-5), inMinutes(29)], 'a new one')).toEqual([45, 45, 60])
    })

    test('leaves a lease alone that was ended, and takes it', async () => {
      expect(await leftAfter([inMinutes(-5), gone, inMinutes(-5)], 'the first')).toEqual([60, 45])
      expect(await leftAfter([gone], 'a new one')).toEqual([60])
    })

    test('is not taken for it while another one gives heartbeats: who is late then has died', async () => {
      expect(await leftAfter([inMinutes(20), inMinutes(-5), inMinutes(31)], 'the first')).toEqual([60, 31])
      expect(await leftAfter([inMinutes(-5), inMinutes(5), inMinutes(31)], 'a new one')).toEqual([5, 31, 60])
    })
  })

  test('jobs of a claim whose answer was lost are handed back, and count neither as attempt nor as death', async () => {
    const { define, open } = setup()
    const job = define('job', (_, { attempt }) => attempt)
    const process = await open(job)
    const handles = await process.jobs.enqueueMany(job, [1, 2, 3], { delay: '1h' })
    await process.work()
    // The worker is alive, and does not know that it has them.
    await run(
      postgres,
      `update plimsoll.jobs set state = 'active', attempts = attempts + 1, due_at = null,
        worker = (select max(id) from plimsoll.job_workers) where name = $1`,
      [job.name],
    )
    expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual([1, 1, 1])
    expect(await handles[0]!.status()).toMatchObject({ attempts: 1, deaths: 0 })
  })

  test.each<Outcome>([{ state: 'released' }, { state: 'parked', error: { name: 'E', message: '' } }])(
    'a run that is $state, which is said again since its answer was lost, does not end the next run of its job',
    async (outcome) => {
      const { queue, define, open } = setup()
      const job = define('job', () => {})
      const process = await open(job)
      const { id } = await process.jobs.enqueue(job, 1)
      let said = 0
      const again = gate()
      const losing = intercepted(postgres, async (statement, execute) => {
        const result = await execute()
        if (statement !== settleJobs || ++said > 1) return result
        await process.engine.unpark([queue], new Map([[job.name, 1]]))
        await again.pass()
        throw new PlimsollError('PLIMSOLL_DATABASE_UNREACHABLE', 'It was cut off.')
      })
      await using engine = await databaseEngine({ postgres: losing, lease })
      const { consumer, leased, taken } = await takeOne(engine, queue)
      const settled = consumer.settle(leased, outcome)
      await eventually(() => expect(taken).toHaveLength(2))
      again.open()
      await settled
      expect(said).toBe(2)
      expect(await engine.find(id)).toMatchObject({ state: 'active', attempts: 1 })
      expect(await consumer.settle(taken[1]!, { state: 'done', output: undefined, keepMs: 1000 })).toBe(true)
    },
  )

  test('a run whose claim a crash of the server has undone goes on when its job is claimed again', async () => {
    const { queue, define, open } = setup()
    const job = define('job', () => {})
    const process = await open(job)
    const { id } = await process.jobs.enqueue(job, 1)
    const undone = gate()
    let said = 0
    const lossy = intercepted(postgres, async (statement, execute) => {
      if (statement === finishJobs && ++said === 1) {
        await undone.pass()
        throw new PlimsollError('PLIMSOLL_DATABASE_UNREACHABLE', 'It was cut off.')
      }
      return execute()
    })
    await using engine = await databaseEngine({ postgres: lossy, lease })
    const { consumer, leased, taken } = await takeOne(engine, queue, 2)
    const undo = async (): Promise<void> => {
      await run(postgres, `update plimsoll.jobs set state = 'waiting', worker = null, attempts = 0 where id = $1`, [id])
      await eventually(async () => expect(await engine.find(id)).toMatchObject({ state: 'active', attempts: 1 }))
    }
    await undo()
    const settled = consumer.settle(leased, { state: 'done', output: '1', keepMs: 60_000 })
    await undo()
    undone.open()
    expect(await settled).toBe(true)
    expect(await engine.find(id)).toMatchObject({ state: 'done', output: '1', attempts: 1 })
    expect(taken).toEqual([leased])
  })

  test('jobs of a worker that is not there any more are run by others', async () => {
    const { define, open } = setup()
    const job = define('job', () => 'ran')
    const process = await open(job)
    const [handle, cancelled] = await process.jobs.enqueueMany(job, [1, 2], { delay: '1h' })
    // A claim that was committed after its worker's lease was taken.
    await run(
      postgres,
      `update plimsoll.jobs set state = 'active', attempts = 1, due_at = null, worker = 0, cancel = id = $2 where name = $1`,
      [job.name, cancelled!.id],
    )
    await process.work()
    expect(await handle!.result()).toBe('ran')
    expect(await handle!.status()).toMatchObject({ deaths: 1, attempts: 1 })
    expect(await failureOf(cancelled!.result())).toMatchObject({ details: { state: 'cancelled' } })
  })

  test('who follows a cancelled run is told of the end that a look has brought it, though later ones have been taken', async () => {
    const { queue, define, open } = setup({ lease: '1h' })
    const job = define('job', (input) => input)
    const [victim, other, looking] = [await open(job), await open(job), await open(job)]
    const old = await victim.jobs.enqueue(job, 'old', { unique: 'k' })
    const { consumer } = await takeOne(victim.engine, queue)
    await consumer.pause()
    expect(await old.cancel()).toBe(true)
    const next = await other.jobs.enqueue(job, 'next', { unique: 'k' })
    await other.work()
    await (await other.jobs.enqueue(job, 'later')).result()
    expect(await next.status()).toMatchObject({ state: 'waiting', attempts: 0 })
    await run(
      postgres,
      'delete from plimsoll.job_workers where id = (select worker from plimsoll.jobs where id = $1)',
      [old.id],
    )
    await looking.work({ queues: [`${queue}-other`] })
    expect(await next.result()).toBe('next')
  })

  test('a job whose enqueuer was late to commit runs, though later ones have been taken', async () => {
    const { define, open } = setup({ lease: '1h' })
    const ran: unknown[] = []
    const job = define('job', (input) => void ran.push(input))
    const [one, two] = [await open(job), await open(job)]
    await one.work()
    const door = gate()
    const late = postgres.transaction(async () => {
      const handle = await two.jobs.enqueue(job, 'early, but late')
      await door.pass()
      return handle
    })
    await eventually(() => expect(door.arrived).toBe(1))
    await (await two.jobs.enqueue(job, 'late, but early')).result()
    door.open()
    await (await late).result()
    expect(ran).toEqual(['late, but early', 'early, but late'])
  })

  test('a delayed job whose enqueuer was late to commit runs at once, though later ones were due before', async () => {
    const { define, open } = setup({ lease: '1h' })
    const job = define('job', (input) => input)
    const [one, two] = [await open(job), await open(job)]
    await one.work()
    const { id } = await postgres.transaction(async () => {
      const handle = await two.jobs.enqueue(job, 'late', { delay: '1ms' })
      await run(postgres, `update plimsoll.jobs set due_at = due_at - interval '10 seconds' where id = $1`, [handle.id])
      await run(postgres, 'select pg_sleep(1.1)')
      return handle
    })
    expect(await one.jobs.handle(id).result()).toBe('late')
  })

  test('two thousand tenants are served without a claim for each', async () => {
    const { queue, define, open } = setup({ lease: '1h' })
    const job = define('job', () => {})
    const process = await open(job)
    await Promise.all(Array.from({ length: 2000 }, (_, i) => process.jobs.enqueue(job, i, { tenant: `tenant ${i}` })))
    const seen = statements()
    await process.work({ concurrency: 200 })
    await eventually(async () => expect(await countsOf(process, queue)).toEqual({ done: 2000 }))
    expect(seen.filter(({ text }) => text.includes(`set state = 'active'`)).length).toBeLessThan(400)
  })

  test('what a limit allows is asked for once, however many tenants wait for it', async () => {
    let asking = 0
    let most = 0
    const transaction: Postgres['transaction'] = async (...given) => {
      most = Math.max(most, ++asking)
      return postgres.transaction(...given).finally(() => asking--)
    }
    const counted = new Proxy(postgres, {
      get: (_, name) => {
        const value: unknown = name === 'transaction' ? transaction : Reflect.get(postgres, name, postgres)
        return typeof value === 'function' ? value.bind(postgres) : value
      },
    })
    const { queue, define, open } = setup({ postgres: counted, lease: '1h' })
    const job = define('job', () => {}, { concurrency: 1 })
    const process = await open(job)
    await Promise.all(Array.from({ length: 20 }, (_, i) => process.jobs.enqueue(job, i, { tenant: `tenant ${i}` })))
    await process.work()
    await eventually(async () => expect(await countsOf(process, queue)).toEqual({ done: 20 }))
    expect(most).toBe(1)
  })

  test('what has no bound begins while what has one waits for a connection', async () => {
    const own = await openPostgres({ url: database.url, maxTransactions: 1, transactionWait: '1h' })
    onTestFinished(() => own.close())
    const { define, open } = setup({ postgres: own, lease: '1h' })
    const bounded = define('bounded', (input) => input, { concurrency: 1 })
    const plain = define('plain', (input) => input)
    const process = await open(bounded, plain)
    await process.work({ concurrency: 2 })
    const door = gate()
    const held = own.transaction(() => door.pass())
    onTestFinished(door.open)
    await eventually(() => expect(door.arrived).toBe(1))
    const waiting = await process.jobs.enqueue(bounded, 0)
    for (const n of [1, 2, 3]) expect(await (await process.jobs.enqueue(plain, n)).result({ timeout: '20s' })).toBe(n)
    expect(await waiting.status()).toMatchObject({ state: 'waiting' })
    door.open()
    await held
    expect(await waiting.result()).toBe(0)
  })

  test('a bounded job goes on at once in another process than the one that has come to an end', async () => {
    const { queue, define, open } = setup({ lease: '1h' })
    const queues = [`${queue}-0`, `${queue}-1`]
    const seen = statements()
    const asked = (): number => seen.filter(({ text }) => text === countActive.text).length
    let hops = 0
    const job: Job = define(
      'job',
      async (n: number) => {
        if (n === 0) return void hops++
        const before = asked()
        await one.jobs.enqueue(job, n - 1, { queue: queues[n % 2]! })
        // The other process knows that it has to wait. It would look again a fifth of a second later.
        await eventually(() => expect(asked()).toBeGreaterThan(before))
        hops++
      },
      { concurrency: 1 },
    )
    const [one, two] = [await open(job), await open(job)]
    await one.work({ queues: [queues[0]!] })
    await two.work({ queues: [queues[1]!] })
    await one.jobs.enqueue(job, 150, { queue: queues[1]! })
    await eventually(() => expect(hops).toBe(151))
  })

  test('engines whose database was closed before them close all the same', async () => {
    const own = await openPostgres({ url: database.url })
    const { define, open } = setUp({
      open: async () => ({
        postgres: own,
        engine: await databaseEngine({ postgres: own, heartbeat: { url: database.url }, lease }),
      }),
    })
    const door = gate()
    const job = define('job', () => door.pass())
    const process = await open(job)
    const worker = await process.work()
    await process.jobs.enqueue(job, 1)
    await eventually(() => expect(door.arrived).toBe(1))
    await own.close()
    door.open()
    await worker.close()
    await process.jobs.close()
    expect((await failureOf(process.jobs.enqueue(job, 1))).code).toBe('PLIMSOLL_JOBS_CLOSED')
  })

  test('a job that waits for a result is told by who ends it; nobody writes to ask', async () => {
    const { define, open } = setup({ lease: '1h' })
    const door = gate()
    const job = define('job', () => door.pass())
    const [one, two] = [await open(job), await open(job)]
    await two.work()
    const handle = await one.jobs.enqueue(job, 1)
    await eventually(() => expect(door.arrived).toBe(1))
    const seen = statements()
    const result = handle.result()
    const asked = (): number => seen.filter(({ text }) => text.startsWith('select id from plimsoll.jobs')).length
    await eventually(() => expect(asked()).toBeGreaterThanOrEqual(2))
    door.open()
    await result
    expect(seen.filter(({ text }) => text.includes('watched = true'))).toHaveLength(1)
  })

  test('a lease that is not a time is refused', async () => {
    const error = await failureOf(databaseEngine({ postgres, lease: 'soon' as never }))
    expect(error.code).toBe('PLIMSOLL_OPTION_INVALID')
  })

  test('there is one row for each worker, and none once it is closed', async () => {
    const { define, open } = setup({ heartbeat: { url: database.url } })
    const process = await open(define('job', () => {}))
    const [[last]] = (await rowsOf(postgres, 'select coalesce(max(id), 0) from plimsoll.job_workers')) as [string[]]
    const fresh = async (): Promise<string> =>
      (await rowsOf(postgres, 'select count(*) from plimsoll.job_workers where id > $1', [last!]))[0]![0]!
    const all = [await process.work(), await process.work()]
    expect(await fresh()).toBe('2')
    await Promise.all(all.map((worker) => worker.close()))
    expect(await fresh()).toBe('0')
  })
})

describe('the database engine on an embedded database', () => {
  // A new folder takes it a while to make.
  test('runs again at once what a process has left behind that had its folder open', { timeout: 120_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plimsoll-jobs-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    // The lease of the one before lasts for an hour, and is over all the same.
    const openFolder = async (): Promise<{ postgres: Postgres; setup: JobsSetup }> => {
      const postgres = await openPostgres({ url: `pglite:${folder}` })
      onTestFinished(() => postgres.close())
      const setup = setUp({
        open: async () => ({ postgres, engine: await databaseEngine({ postgres, lease: '1h' }) }),
      })
      return { postgres, setup }
    }
    const before = await openFolder()
    const door = gate()
    const job = before.setup.define('job', () => door.pass())
    const first = await before.setup.open(job)
    await first.work({ queues: [before.setup.queue] })
    const { id } = await first.jobs.enqueue(job, 1)
    await eventually(() => expect(door.arrived).toBe(1))
    await before.postgres.close()
    const after = await openFolder()
    const second = await after.setup.open(defineJob(job.name, { input: z.any() }, () => 'again'))
    await second.work({ queues: [before.setup.queue] })
    expect(await second.jobs.handle(id).result()).toBe('again')
    expect(await second.jobs.handle(id).status()).toMatchObject({ attempts: 1, deaths: 1 })
    door.open()
  })
})
