import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openQueue } from '../../../src/app/open-queue.ts'
import { chain, defineJob, defineSchedule, group, type Job, type Jobs, type Schedule } from '../../../src/jobs/index.ts'
import { relayKind } from '../../../src/jobs/relay/packed-jobs.ts'
import { openOutbox } from '../../../src/outbox/index.ts'
import { openPostgres, type Postgres } from '../../../src/postgres/index.ts'
import { anything } from '../../drivers/anything.ts'
import { rowsOf, run } from '../../drivers/door.ts'
import { createDatabase, embeddedDatabase, type Database } from '../../servers/database.ts'
import { findRedis, startRedis, type RedisServer } from '../../servers/redis.ts'
import { plusOne, same, sum } from './flow-jobs.ts'
import { engines } from './open-flows.ts'

let redis: RedisServer | undefined
beforeAll(async () => {
  redis = await startRedis({ args: ['--appendonly', 'yes'] })
})
afterAll(async () => redis?.stop())

describe.runIf(findRedis()).each(engines)('with jobs in Redis, and the rest in %s,', (name) => {
  let database: Database
  let postgres: Postgres
  beforeAll(async () => {
    database = name === 'PGlite' ? embeddedDatabase : await createDatabase()
    postgres = await openPostgres({ url: database.url })
  })
  afterAll(async () => {
    await postgres.close()
    await database.drop()
  })

  async function open(jobs: readonly Job[], schedules: readonly Schedule[] = []): Promise<Jobs> {
    const opened = await openQueue(postgres, { url: redis!.url, jobs, schedules, database: { url: database.url } })
    onTestFinished(() => opened.close({ timeout: 0 }))
    return opened
  }

  test('a workflow goes on from step to step, and exists if and only if its transaction commits', async () => {
    const jobs = await open([plusOne, sum])
    await jobs.work()
    const flow = await jobs.start(chain(group(plusOne.step(1), chain(plusOne.step(2), plusOne.step())), sum.step()))
    expect(await flow.result()).toBe(6)
    let id = ''
    const rolledBack = postgres.transaction(async () => {
      id = (await jobs.start(chain(plusOne.step(1), plusOne.step()))).id
      throw new Error('rolled back')
    })
    await expect(rolledBack).rejects.toThrow('rolled back')
    expect(await jobs.flow(id).status()).toBeUndefined()
    const committed = await postgres.transaction(() => jobs.start(chain(plusOne.step(1), plusOne.step())))
    expect(await committed.result()).toBe(3)
    expect(
      await postgres.transaction(async () => (await jobs.counts()).filter(({ state }) => state === 'waiting')),
    ).toEqual([])
  })

  test('a workflow stops where a step has failed, and goes on when it is retried', async () => {
    let broken = true
    const brittle = defineJob('brittle', { input: anything<number>(), retry: false }, async (n) => {
      if (broken) throw new Error('it is broken')
      return n * 10
    })
    const jobs = await open([plusOne, brittle])
    await jobs.work()
    const flow = await jobs.start(chain(plusOne.step(1), brittle.step(), plusOne.step()))
    await expect(flow.result()).rejects.toThrow(`The workflow has failed: the step 'brittle' has failed: it is broken`)
    expect(await flow.status()).toMatchObject({ state: 'failed', counts: { done: 1, failed: 1, blocked: 1 } })
    broken = false
    expect(await flow.retry()).toBe(true)
    expect(await flow.result()).toBe(21)
  })

  test('a workflow is cancelled with what runs and what waits, and goes on with that', async () => {
    const began = Promise.withResolvers<void>()
    let aborts = 0
    const slow = defineJob('slow', { input: anything<number>() }, async (n, { signal }) => {
      if (aborts > 0) return n
      began.resolve()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      aborts++
      throw signal.reason
    })
    const jobs = await open([slow, same, sum])
    await jobs.work({ concurrency: 1 })
    const flow = await jobs.start(chain(group(slow.step(1), same.step(2)), sum.step()))
    await began.promise
    expect(await flow.cancel()).toBe(true)
    await expect(flow.result()).rejects.toThrow('The workflow was cancelled')
    await expect.poll(() => aborts, { timeout: 10_000 }).toBe(1)
    expect(await flow.retry()).toBe(true)
    expect(await flow.result()).toBe(3)
  })

  test('a workflow that is cancelled before its jobs were handed on has none of them run', async () => {
    const outbox = await openOutbox({ postgres, durable: false, records: true })
    onTestFinished(() => outbox.close())
    const ran: number[] = []
    const noted = defineJob('noted', { input: anything<number>() }, (n) => void ran.push(n))
    const known = { url: redis!.url, jobs: [noted], database: { url: database.url }, outbox }
    // Whoever hands them on is away.
    const closed = await openQueue(postgres, known)
    await closed.close()
    const start = (n: number) => closed.start(group(noted.step(n), noted.step(n)))
    const [cancelled, undone] = [await start(1), await start(2)]
    await run(postgres, `update plimsoll.outbox set due_at = due_at + interval '1 hour'`)
    const jobs = await openQueue(postgres, known)
    onTestFinished(() => jobs.close({ timeout: 0 }))
    expect(await jobs.flow(cancelled.id).cancel()).toBe(true)
    const rolledBack = postgres.transaction(async () => {
      expect(await jobs.flow(undone.id).cancel()).toBe(true)
      throw new Error('rolled back')
    })
    await expect(rolledBack).rejects.toThrow('rolled back')
    await outbox.drain(relayKind)
    await jobs.work()
    await jobs.flow(undone.id).result()
    await (await jobs.enqueue(noted, 3)).result()
    expect(ran).toEqual([2, 2, 3])
  })

  test('a job of a transaction is known within it, and can be cancelled there', async () => {
    const jobs = await open([same])
    const handle = await postgres.transaction(async () => {
      const enqueued = await jobs.enqueue(same, 1)
      expect(await enqueued.status()).toMatchObject({ state: 'waiting', input: 1 })
      expect(await enqueued.cancel()).toBe(true)
      return enqueued
    })
    expect(await handle.status()).toMatchObject({ state: 'cancelled' })
  })

  test('a schedule enqueues its job at every occurrence', async () => {
    const ends: string[] = []
    const heard = defineJob('note-time', { input: anything<string>() }, async (time) => void ends.push(time))
    const hearing = await open(
      [heard],
      [defineSchedule('secondly', { cron: '* * * * * *', job: heard, input: (at) => at.toISOString() })],
    )
    await hearing.work()
    await expect.poll(() => ends.length, { timeout: 15_000 }).toBeGreaterThanOrEqual(3)
    const times = ends.map((time) => Date.parse(time)).toSorted((a, b) => a - b)
    for (const [i, time] of times.entries()) expect(time).toBe(times[0]! + i * 1000)
    expect(await rowsOf(postgres, 'select name from plimsoll.job_schedules')).toEqual([['secondly']])
  })
})
