import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openQueue } from '../../src/app/open-queue.ts'
import { redisEngine } from '../../src/jobs/drivers/redis/redis-engine.ts'
import type { Jobs } from '../../src/jobs/index.ts'
import { openPostgres, type Postgres } from '../../src/postgres/index.ts'
import { failureOf } from '../drivers/jobs.ts'
import { startRedisSentinel } from '../servers/redis-sentinel.ts'
import { findRedis, startRedis, type RedisServer } from '../servers/redis.ts'
import { began, faultJobs } from './jobs-redis-jobs.ts'

const patience = { timeout: 60_000 }
const keeping = ['--appendonly', 'yes', '--appendfsync', 'always']

async function openJobsAt(postgres: Postgres, url: string): Promise<Jobs> {
  const jobs = await openQueue(postgres, { url, jobs: Object.values(faultJobs), database: { url: 'pglite:memory' } })
  onTestFinished(() => jobs.close({ timeout: 0 }))
  return jobs
}

async function start(...args: readonly string[]): Promise<RedisServer> {
  const redis = (await startRedis({ args }))!
  onTestFinished(() => redis.stop())
  return redis
}

describe.runIf(findRedis())('jobs on a Redis that sentinels watch', () => {
  test(
    'go on at the replica when their master has died, and nothing is lost of what that had',
    { timeout: 180_000 },
    async () => {
      const login = ['--requirepass', 'p@ss', '--masterauth', 'p@ss']
      const master = await start(...keeping, ...login)
      const replica = await start(...keeping, ...login, '--replicaof', '127.0.0.1', String(master.port))
      const sentinel = await startRedisSentinel('shop', {
        master,
        args: ['sentinel auth-pass shop p@ss', 'requirepass guarded'],
      })
      onTestFinished(() => sentinel.stop())
      const asked = new Redis({ port: sentinel.port, password: 'guarded' })
      const copied = new Redis({ port: replica.port, password: 'p@ss' })
      onTestFinished(() => {
        asked.disconnect()
        copied.disconnect()
      })
      await expect
        .poll(async () => ((await asked.call('SENTINEL', 'REPLICAS', 'shop')) as unknown[]).length, patience)
        .toBe(1)
      await expect.poll(() => copied.info('replication'), patience).toContain('master_link_status:up')

      const postgres = await openPostgres({ url: 'pglite:memory' })
      onTestFinished(() => postgres.close())
      const url = `redis://:p%40ss@127.0.0.1:${sentinel.port}/2?sentinel=shop&sentinelPassword=guarded`
      const jobs = await openJobsAt(postgres, url)
      const worker = await jobs.work({ concurrency: 5 })
      expect(await (await jobs.enqueue(faultJobs.runs, 'before')).result()).toBe('before')
      const waiting = await jobs.enqueueMany(faultJobs.runs, ['a', 'b', 'c'], { queue: 'later' })
      const running = await jobs.enqueue(faultJobs.endless, 'held')
      await expect.poll(() => began).toContain('held')
      // Nothing is under way to the replica any more.
      const client = new Redis({ port: master.port, password: 'p@ss' })
      expect(await client.wait(1, 10_000)).toBe(1)
      client.disconnect()
      await master.crash()
      const meanwhile = await postgres.transaction(() => jobs.enqueue(faultJobs.runs, 'meanwhile'))
      await expect.poll(() => meanwhile.result({ timeout: '1s' }).catch(() => undefined), patience).toBe('meanwhile')
      await jobs.work({ queues: ['later'] })
      expect(await Promise.all(waiting.map((handle) => handle.result()))).toEqual(['a', 'b', 'c'])
      expect((await jobs.enqueue(faultJobs.runs, 'after')).duplicate).toBe(false)
      expect(await running.status()).toMatchObject({ state: 'active', deaths: 0 })
      await worker.close({ timeout: 0 })
      expect(await running.status()).toMatchObject({ state: 'done', attempts: 1, deaths: 0 })

      // The one before comes back as a replica, and nobody writes to it.
      await master.restart()
      expect(await (await jobs.enqueue(faultJobs.runs, 'at last')).status()).toMatchObject({ state: 'waiting' })

      // A live client says the same.
      const live = new Redis({
        sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
        name: 'shop',
        password: 'p@ss',
        sentinelPassword: 'guarded',
        db: 2,
      })
      onTestFinished(() => live.disconnect())
      const engine = await redisEngine({ client: live })
      onTestFinished(() => engine.close())
      expect(await engine.counts()).toEqual(await jobs.counts())
    },
  )

  test.each([
    ['redis://a,b?sentinel=shop&cluster=true', 'take one of the two'],
    ['redis://a,b', '?sentinel=NAME'],
    ['redis://a?sentinelPassword=x', '?sentinel=NAME'],
  ])('refuses %s', async (url, message) => {
    const failure = await failureOf(redisEngine({ url }))
    expect(failure.code).toBe('PLIMSOLL_OPTION_INVALID')
    expect(failure.message).toContain(message)
    expect(failure.message).not.toContain('=x')
  })

  test('say when no sentinel answers, or none knows the name', { timeout: 60_000 }, async () => {
    const master = await start(...keeping)
    const sentinel = await startRedisSentinel('shop', { master })
    onTestFinished(() => sentinel.stop())
    const failure = await failureOf(redisEngine({ url: `redis://127.0.0.1:${sentinel.port}?sentinel=other` }))
    expect(failure.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    await sentinel.stop()
    const away = await failureOf(redisEngine({ url: `redis://127.0.0.1:${sentinel.port}?sentinel=shop` }))
    expect(away.code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    expect(away.message).toContain('sentinels are unreachable')
  })
})
