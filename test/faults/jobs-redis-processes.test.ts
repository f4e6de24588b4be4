import { once } from 'node:events'
import { Redis } from 'ioredis'
import { beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { openJobRelay } from '../../src/app/job-relay.ts'
import { openQueue } from '../../src/app/open-queue.ts'
import { observe } from '../../src/core/events.ts'
import { redisEngine } from '../../src/jobs/drivers/redis/redis-engine.ts'
import { openJobs, type Jobs } from '../../src/jobs/index.ts'
import { openPostgres, type Postgres } from '../../src/postgres/index.ts'
import { rowsOf, run } from '../drivers/door.ts'
import { createDatabase, type Database } from '../servers/database.ts'
import { cutBefore } from '../servers/append-only-file.ts'
import { startPostgres } from '../servers/postgres.ts'
import { findRedis, startRedis, type RedisServer } from '../servers/redis.ts'
import { Wire } from '../servers/wire.ts'
import { setClocksApart } from './jobs-clocks.ts'
import { cutOffPastLease } from './jobs-cut-off.ts'
import { killAgainAndAgain } from './jobs-killed.ts'
import { ends, makePoison, poisonThree } from './jobs-poisons.ts'
import { cutPower } from './jobs-power-cuts.ts'
import { began, elsewhere, killingLimits, many, startWorker, waits, type WorkerProcess } from './jobs-worker-process.ts'
import { lease } from './jobs-worker-talk.ts'

const limits = { timeout: 150_000 }

const known = ['work', 'held', 'charges', 'exits', 'dies'].map(elsewhere)
const [work, held, charges, exits, dies] = known

describe.runIf(inject('postgresUrl') && findRedis())('worker processes on Redis, with a PostgreSQL beside it', () => {
  let database: Database
  let redis: RedisServer
  let postgres: Postgres
  let client: Redis
  let opened: Jobs[] = []
  beforeEach(async () => {
    database = await createDatabase()
    redis = (await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] }))!
    postgres = await openPostgres({ url: database.url })
    client = new Redis(redis.url)
    await run(postgres, 'create table runs (key text not null, pid int not null)')
    await run(postgres, 'create table effects (key text primary key, pid int not null)')
    return async () => {
      for (const jobs of opened) await jobs.close({ timeout: 0 })
      opened = []
      await postgres.close()
      client.disconnect()
      await redis.stop()
      await database.drop()
    }
  })

  /** Who enqueues, and does not work. */
  async function office(url = redis.url): Promise<Jobs> {
    const jobs = await openQueue(postgres, { url, jobs: known, database: { url: database.url } })
    opened.push(jobs)
    return jobs
  }

  const worker = (options: { concurrency?: number; skewMs?: number; queueUrl?: string } = {}): Promise<WorkerProcess> =>
    startWorker(database.url, { queueUrl: redis.url, ...options })
  const count = async (table: 'runs' | 'effects'): Promise<number> =>
    Number((await rowsOf(postgres, `select count(*) from ${table}`))[0]![0])
  const countsOf = async (jobs: Jobs): Promise<Readonly<Record<string, number>>> =>
    Object.fromEntries((await jobs.counts()).map(({ state, count: number }) => [state, number]))

  test(
    'workers that are killed again and again lose nothing, and every effect is there once',
    killingLimits,
    async () => {
      const start = (concurrency: number): Promise<WorkerProcess> => worker({ concurrency })
      await killAgainAndAgain({ jobs: await office(), work: work!, count, start })
    },
  )

  test('a worker that was cut off past its lease cannot say what has come of its runs', limits, async () => {
    const jobs = await office()
    const start = (url: string): Promise<WorkerProcess> => worker({ queueUrl: url.replace(/\/$/, '') })
    const known = { held: held!, work: work! }
    await cutOffPastLease({ jobs, postgres, url: redis.url, known, start })
  })

  /** Restarts Redis as after a power cut that has taken what has last brought a job to this state. */
  async function forget(state: 'active' | 'done'): Promise<void> {
    await redis.crash()
    cutBefore(redis.folder, state)
    await redis.restart()
  }

  test(
    'a worker whose claim Redis has forgotten is told when another one has its job, and refused; the effect is there once',
    limits,
    async () => {
      const jobs = await office()
      const first = await worker({ concurrency: 1 })
      const handle = await jobs.enqueue(charges!, 1)
      await began(first)
      await forget('active')
      expect(await handle.status()).toMatchObject({ state: 'waiting', attempts: 0 })
      const second = await worker({ concurrency: 1 })
      await began(second)
      const aborted = { type: 'aborted', id: handle.id, reason: expect.stringContaining('has lost its lease') }
      await vi.waitFor(() => expect(first.news).toContainEqual(aborted), waits)
      // It goes on all the same, and has come to its end before the other one.
      first.order({ type: 'go' })
      const ended = { type: 'ended', id: handle.id, outcome: 'lost' }
      await vi.waitFor(() => expect(first.news).toContainEqual(ended), waits)
      expect(await handle.status()).toMatchObject({ state: 'active', attempts: 1, deaths: 0 })
      second.order({ type: 'go' })
      expect(await handle.result()).toBe(second.pid)
      expect(second.news.filter(({ type }) => type === 'aborted')).toEqual([])
      expect([await count('runs'), await count('effects')]).toEqual([2, 1])
      // It has room for more.
      await second.kill()
      expect(await (await jobs.enqueue(exits!, { pid: 0 })).result()).toBe(first.pid)
    },
  )

  test('a worker whose claim Redis has forgotten goes on when it gets its own job again', limits, async () => {
    const jobs = await office()
    const only = await worker({ concurrency: 2 })
    const handle = await jobs.enqueue(held!, 1)
    await began(only)
    await forget('active')
    await vi.waitFor(async () => expect(await handle.status()).toMatchObject({ state: 'active', attempts: 1 }), waits)
    // It runs once, and takes the room of one.
    await jobs.enqueueMany(held!, [2, 3])
    await began(only, 2)
    only.order({ type: 'go' })
    expect(await handle.result()).toBe(only.pid)
    await began(only, 3)
    only.order({ type: 'go' })
    await vi.waitFor(async () => expect(await countsOf(jobs)).toEqual({ done: 3 }), waits)
    expect(only.news.filter(({ type }) => type === 'began')).toHaveLength(3)
    expect(only.news.filter(({ type }) => type === 'aborted')).toEqual([])
  })

  test('a job whose result Redis has forgotten runs again, and has its effect once', limits, async () => {
    const jobs = await office()
    const only = await worker()
    const handle = await jobs.enqueue(work!, { ms: 1 })
    await handle.result()
    await forget('done')
    await vi.waitFor(async () => expect(await count('runs')).toBe(2), waits)
    await handle.result()
    expect(await handle.status()).toMatchObject({ state: 'done', attempts: 1, deaths: 0 })
    expect(await rowsOf(postgres, 'select pid from effects')).toEqual([[String(only.pid)]])
  })

  test('a job that ends its process runs again elsewhere', limits, async () => {
    const jobs = await office()
    const first = await worker()
    const exited = once(first.child, 'exit')
    const handle = await jobs.enqueue(exits!, { pid: first.pid })
    expect((await exited)[0]).toBe(3)
    const second = await worker()
    expect(await handle.result()).toBe(second.pid)
    expect(await handle.status()).toMatchObject({ deaths: 1, attempts: 1 })
  })

  test.each(ends)('a job that ends its worker with its first line (%s) has three runs', limits, async (how) => {
    const jobs = await office()
    const poison = makePoison(how)
    await poisonThree({ poison, handle: await jobs.enqueue(dies!, poison), start: () => worker() })
  })

  test('the clocks of processes do not matter', limits, async () => {
    const start = (skewMs: number): Promise<WorkerProcess> => worker({ skewMs })
    await setClocksApart({ jobs: await office(), work: work!, count, start })
  })

  test('a PostgreSQL that restarts as after a power cut loses nothing of what was committed', limits, async () => {
    const server = (await startPostgres())!
    onTestFinished(() => server.stop())
    await cutPower({
      server,
      open: async (own, job) => {
        const engine = await redisEngine({ url: redis.url }, { lease })
        return openJobs({ postgres: own, jobs: [job], ...(await openJobRelay(own, engine)) })
      },
    })
  })

  test('jobs start when the connection that hears of them is cut, and are heard of again', limits, async () => {
    const jobs = await office()
    await worker()
    const listeners = async (): Promise<readonly string[]> =>
      String(await client.call('CLIENT', 'LIST', 'TYPE', 'pubsub'))
        .split('\n')
        .flatMap((line) => /^id=(\d+) /.exec(line)?.[1] ?? [])
    await vi.waitFor(async () => expect((await listeners()).length).toBeGreaterThan(0), waits)
    for (let i = 0; i < 3; i++) {
      await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await (await jobs.enqueue(work!, { ms: 1 })).result()
    }
    await vi.waitFor(async () => expect((await listeners()).length).toBeGreaterThan(0), waits)
    expect(await count('effects')).toBe(3)
  })

  test(
    'a FLUSHALL is told of, takes what was handed over before, and nothing of what is in the outbox or comes after',
    limits,
    async () => {
      const losses: unknown[] = []
      onTestFinished(observe((event) => void (event.type === 'job.loss' && losses.push(event))))
      const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
      onTestFinished(() => warn.mockRestore())
      const wire = new Wire(redis.url)
      await wire.join()
      onTestFinished(() => wire.cut())
      // It hands on, if its wire is there.
      const jobs = await office(wire.url.replace(/\/$/, ''))
      const direct = openJobs({ postgres, engine: await redisEngine({ url: redis.url }, { lease }), jobs: known })
      opened.push(direct)
      // This process is a worker too: it is the one whose events are heard.
      await direct.work({ queues: ['nothing'] })
      const first = await worker()
      const running = await direct.enqueue(held!, 1)
      const lost = [
        ...(await direct.enqueueMany(work!, many(3), { delay: '1h' })),
        await postgres.transaction(() => jobs.enqueue(work!, { ms: 1 }, { delay: '1h' })),
      ]
      expect(await countsOf(direct)).toMatchObject({ delayed: 4 })
      await began(first)
      for (let round = 1; round <= 2; round++) {
        await wire.cut()
        const outboxed = await postgres.transaction(() => jobs.enqueue(work!, { ms: 1 }))
        await client.flushall()
        // The first thing that the worker hears of: it is no job of the lease that was lost.
        const fresh = await direct.enqueue(held!, round)
        await vi.waitFor(() => expect(first.news).toContainEqual({ type: 'began', id: fresh.id }), waits)
        await vi.waitFor(() => expect(losses).toHaveLength(round), waits)
        await wire.join()
        await vi.waitFor(async () => expect(await count('effects')).toBe(round), waits)
        await expect.poll(() => direct.handle(outboxed.id).status()).toMatchObject({ state: 'done' })
        // The worker has looked, too, since it has told that its runs of before were lost.
        await vi.waitFor(() => expect(first.stderr()).toMatch(new RegExp(`(has lost its jobs[^]*){${round}}`)), waits)
        expect(await fresh.status()).toMatchObject({ state: 'active', attempts: 1, deaths: 0 })
        first.order({ type: 'go' })
        expect(await fresh.result()).toBe(first.pid)
        expect(first.news.filter((news) => news.type === 'aborted' && news.id === fresh.id)).toEqual([])
      }
      expect(losses).toEqual([1, 2].map(() => ({ type: 'job.loss', engine: 'redis' })))
      expect(warn.mock.calls.map(([text]) => text)).toEqual(
        [1, 2].map(() => expect.stringContaining('has lost its jobs')),
      )
      expect(first.news).toContainEqual({
        type: 'aborted',
        id: running.id,
        reason: expect.stringContaining('lost its lease'),
      })
      for (const handle of [running, ...lost]) expect(await direct.handle(handle.id).status()).toBeUndefined()
    },
  )
})
