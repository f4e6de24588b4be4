import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { openJobRelay } from '../../src/app/job-relay.ts'
import { openQueue } from '../../src/app/open-queue.ts'
import type { Duration } from '../../src/core/duration.ts'
import { observe, type PlimsollEvent } from '../../src/core/events.ts'
import { redisEngine } from '../../src/jobs/drivers/redis/redis-engine.ts'
import { openJobs, type Jobs } from '../../src/jobs/index.ts'
import { ensureFlowTables } from '../../src/jobs/workflow/flow-tables.ts'
import { openPostgres, type Postgres } from '../../src/postgres/index.ts'
import { findRedis, startRedis, type RedisServer } from '../servers/redis.ts'
import { Wire } from '../servers/wire.ts'
import { began, faultJobs } from './jobs-redis-jobs.ts'

/** By default leases end 20 s after the last heartbeat, and are looked at every few seconds. */
const patience = { timeout: 60_000 }

let postgres: Postgres
beforeAll(async () => {
  postgres = await openPostgres({ url: 'pglite:memory' })
  return () => postgres.close()
})
beforeEach(() => {
  began.length = 0
})

async function start(...args: readonly string[]): Promise<RedisServer> {
  const redis = (await startRedis({ args }))!
  onTestFinished(() => redis.stop())
  return redis
}

const keeping = ['--appendonly', 'yes', '--appendfsync', 'always']

async function open(url: string): Promise<Jobs> {
  const jobs = await openQueue(postgres, { url, jobs: Object.values(faultJobs), database: { url: 'pglite:memory' } })
  onTestFinished(() => jobs.close({ timeout: 0 }))
  return jobs
}

/** Opens jobs whose workers have another lease than by default. */
async function openWithLease(url: string, lease: Duration): Promise<Jobs> {
  await ensureFlowTables(postgres)
  const relayed = await openJobRelay(postgres, await redisEngine({ url }, { lease }))
  const jobs = openJobs({ postgres, jobs: Object.values(faultJobs), ...relayed })
  onTestFinished(() => jobs.close({ timeout: 0 }))
  return jobs
}

interface WorkerProcess {
  readonly process: ChildProcess
  readonly seen: Extract<PlimsollEvent, { type: 'job.start' | 'job.end' }>[]
  /** Resolves when it has told of so many events. */
  told(type: string, count?: number): Promise<void>
}

function startWorker(url: string, queue: string): WorkerProcess {
  const worker = fork(join(import.meta.dirname, 'jobs-redis-worker.ts'), [url, queue])
  onTestFinished(() => void worker.kill('SIGKILL'))
  const seen: WorkerProcess['seen'] = []
  worker.on('message', (event) => void seen.push(event as WorkerProcess['seen'][number]))
  return {
    process: worker,
    seen,
    told: async (type, count = 1) => {
      await expect.poll(() => seen.filter((event) => event.type === type).length, patience).toBe(count)
    },
  }
}

async function kill({ process: worker }: WorkerProcess): Promise<void> {
  const exit = once(worker, 'exit')
  worker.kill('SIGKILL')
  await exit
}

/** Ends leases before their time. */
async function endLeases(url: string): Promise<void> {
  const client = new Redis(url)
  for (const worker of await client.zrange('{plimsoll:jobs}:workers', '0', '-1'))
    await client.zadd('{plimsoll:jobs}:workers', '1', worker)
  client.disconnect()
}

describe.runIf(findRedis())('jobs on Redis', () => {
  const losses: PlimsollEvent[] = []
  beforeEach(() => {
    losses.length = 0
    return observe((event) => void (event.type === 'job.loss' && losses.push(event)))
  })
  afterEach((context) => {
    if (!context.task.name.includes('empty')) expect(losses).toEqual([])
  })

  test(
    'what a killed or stopped worker ran is run by another one, what a blocked one runs is not, and who comes back late is refused',
    { timeout: 120_000 },
    async () => {
      const { url } = await start(...keeping)
      const jobs = await open(url)
      const killed = await jobs.enqueue(faultJobs.waits, 'killed', { queue: 'killed' })
      const stopped = await jobs.enqueue(faultJobs.waits, 'stopped', { queue: 'stopped' })
      const blocked = await jobs.enqueue(faultJobs.blocks, 'blocked', { queue: 'blocked' })
      const workers = ['killed', 'stopped', 'blocked'].map((queue) => startWorker(url, queue))
      const [first, second, third] = workers as [WorkerProcess, WorkerProcess, WorkerProcess]
      await Promise.all(workers.map((worker) => worker.told('job.start')))
      await kill(first)
      second.process.kill('SIGSTOP')
      await jobs.work({ queues: ['killed', 'stopped', 'blocked'] })
      await expect.poll(() => began.toSorted(), patience).toEqual(['killed', 'stopped'])
      expect(await killed.result()).toBe('killed')
      expect(await killed.status()).toMatchObject({ state: 'done', attempts: 1, deaths: 1 })
      expect(await stopped.result()).toBe('stopped')
      second.process.kill('SIGCONT')
      second.process.send('go on')
      await second.told('job.end')
      expect(second.seen.at(-1)).toMatchObject({ type: 'job.end', outcome: 'lost' })
      expect(await blocked.result()).toBe('blocked')
      expect(await blocked.status()).toMatchObject({ attempts: 1, deaths: 0 })
      await third.told('job.end')
      expect(began.toSorted()).toEqual(['killed', 'stopped'])
    },
  )

  test(
    'a job that has killed three workers is put in quarantine, and what ran beside it is not',
    { timeout: 90_000 },
    async () => {
      const { url } = await start(...keeping)
      const jobs = await open(url)
      const deaths: PlimsollEvent[] = []
      onTestFinished(observe((event) => void (event.type === 'job.death' && deaths.push(event))))
      const poison = await jobs.enqueue(faultJobs.kills, 'poison', { queue: 'q' })
      const beside = await jobs.enqueue(faultJobs.runs, 'beside', { queue: 'q', delay: '1h' })
      for (let n = 0; n < 3; n++) {
        const { process: worker } = startWorker(url, 'q')
        await once(worker, 'exit')
        await endLeases(url)
      }
      await jobs.work({ queues: ['q'] })
      await expect.poll(async () => (await poison.status())?.state).toBe('quarantined')
      expect(await poison.status()).toMatchObject({ attempts: 0, deaths: 3, error: { name: 'WorkerDied' } })
      expect(await jobs.list({ states: ['quarantined'] })).toMatchObject([{ id: poison.id }])
      expect(await beside.status()).toMatchObject({ state: 'delayed', deaths: 0 })
      expect(deaths).toMatchObject([{ id: poison.id, quarantined: true }])
      expect(await jobs.redrive({ ids: [poison.id] })).toBe(1)
      expect(await poison.result()).toBeUndefined()
    },
  )

  test(
    'nothing is lost of what was acknowledged while Redis is killed and started again',
    { timeout: 120_000 },
    async () => {
      const redis = await start(...keeping)
      const jobs = await open(redis.url)
      await jobs.work({ concurrency: 10 })
      const inputs = Array.from({ length: 600 }, (_, i) => String(i))
      for (const part of [0, 200, 400]) {
        await postgres.transaction(() => jobs.enqueueMany(faultJobs.runs, inputs.slice(part, part + 200)))
        await expect.poll(() => began.length, patience).toBeGreaterThan(part / 2)
        await redis.crash()
        await redis.restart()
      }
      await expect.poll(() => new Set(began).size, patience).toBe(600)
      const done = [{ queue: 'default', state: 'done', count: 600 }]
      await expect.poll(() => jobs.counts().catch(() => undefined), patience).toEqual(done)
    },
  )

  test(
    'a Redis that comes back empty is told of; what is in the outbox is handed on, and all else goes on',
    { timeout: 120_000 },
    async () => {
      const redis = await start()
      const jobs = await open(redis.url)
      await jobs.work({ concurrency: 1 })
      const running = await jobs.enqueue(faultJobs.endless, 'running')
      const direct = await jobs.enqueue(faultJobs.runs, 'direct')
      await expect.poll(() => began).toEqual(['running'])
      await redis.crash()
      const relayed = await postgres.transaction(() => jobs.enqueue(faultJobs.runs, 'relayed'))
      await redis.restart()
      await expect.poll(() => losses, patience).toEqual([{ type: 'job.loss', engine: 'redis' }])
      await expect.poll(() => relayed.result().catch(() => undefined), patience).toBe('relayed')
      expect(await running.status()).toBeUndefined()
      expect(await direct.status()).toBeUndefined()
      expect(await (await jobs.enqueue(faultJobs.runs, 'new')).result()).toBe('new')
      expect(began).toEqual(['running', 'relayed', 'new'])
    },
  )

  test(
    'a Redis that does not answer for a while holds up commits for a moment only, and then goes on',
    { timeout: 120_000 },
    async () => {
      const redis = await start(...keeping)
      const jobs = await open(redis.url)
      await jobs.work()
      expect(await (await jobs.enqueue(faultJobs.runs, 'before')).result()).toBe('before')
      redis.pause()
      const handles = []
      for (let n = 0; n < 20; n++)
        handles.push(await postgres.transaction(() => jobs.enqueue(faultJobs.runs, `paused ${n}`)))
      redis.resume()
      const results = await Promise.all(
        handles.map(async (handle) => {
          await expect.poll(() => handle.result().catch(() => undefined), patience).toBeDefined()
          return handle.result()
        }),
      )
      expect(results).toEqual(handles.map((_, n) => `paused ${n}`))
      expect(new Set(began).size).toBe(21)
    },
  )

  test(
    'a connection that is cut again and again loses nothing and repeats nothing that was settled',
    { timeout: 120_000 },
    async () => {
      const redis = await start(...keeping)
      const wire = new Wire(redis.url)
      await wire.join()
      onTestFinished(() => wire.cut())
      const jobs = await open(wire.url)
      const inputs = Array.from({ length: 600 }, (_, i) => String(i))
      await jobs.enqueueMany(faultJobs.runs, inputs)
      await jobs.work({ concurrency: 10 })
      for (const count of [50, 150, 300]) {
        await expect.poll(() => began.length, patience).toBeGreaterThan(count)
        await wire.cut()
        await wire.join()
      }
      const done = [{ queue: 'default', state: 'done', count: 600 }]
      await expect.poll(() => jobs.counts().catch(() => undefined), patience).toEqual(done)
      expect(new Set(began).size).toBe(600)
      // Of a claim whose answer was lost nothing has begun.
      expect(began).toHaveLength(600)
    },
  )

  test(
    'a Redis that was away for longer than a lease takes no job from those who run it',
    { timeout: 120_000 },
    async () => {
      const redis = await start(...keeping)
      const [jobs, other] = [await openWithLease(redis.url, '2s'), await openWithLease(redis.url, '2s')]
      await jobs.work({ queues: ['mine'] })
      await other.work({ queues: ['theirs'] })
      const mine = await jobs.enqueue(faultJobs.endless, 'mine', { queue: 'mine' })
      const theirs = await jobs.enqueue(faultJobs.endless, 'theirs', { queue: 'theirs' })
      await expect.poll(() => began.length).toBe(2)
      redis.pause()
      // It is the time itself that is tested.
      await new Promise((resolve) => setTimeout(resolve, 3000))
      redis.resume()
      const client = new Redis(redis.url)
      onTestFinished(() => client.disconnect())
      // Both have given heartbeats, and have looked for leases that are over.
      const soonest = async (): Promise<number> =>
        Number((await client.zrange('{plimsoll:jobs}:workers', '0', '0', 'WITHSCORES'))[1])
      const before = await soonest()
      await expect.poll(soonest, patience).toBeGreaterThan(before + 1500)
      expect(await client.zcard('{plimsoll:jobs}:workers')).toBe(2)
      expect(began.toSorted()).toEqual(['mine', 'theirs'])
      for (const handle of [mine, theirs]) expect(await handle.status()).toMatchObject({ state: 'active', deaths: 0 })
    },
  )

  test('closing does not wait for a Redis that has gone', { timeout: 90_000 }, async () => {
    const redis = await start(...keeping)
    const jobs = await open(redis.url)
    await jobs.work()
    await jobs.enqueue(faultJobs.endless, 'running')
    await expect.poll(() => began).toEqual(['running'])
    await redis.crash()
    await jobs.close({ timeout: 0 })
  })
})
