import { Worker } from 'node:worker_threads'
import { Redis } from 'ioredis'
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import type { LeaseThreadData } from '../../src/jobs/drivers/database/leases.ts'
import type { LeaseOrder } from '../../src/jobs/drivers/hold-lease.ts'
import { ensureJobTables } from '../../src/jobs/drivers/database/job-tables.ts'
import type { ReaderNews, ReaderOptions } from '../../src/jobs/drivers/rabbitmq/broker-reader.ts'
import { readAddress } from '../../src/jobs/drivers/rabbitmq/rabbitmq-address.ts'
import type { LeaseThreadData as RedisThreadData } from '../../src/jobs/drivers/redis/leases.ts'
import { readSource } from '../../src/jobs/drivers/redis/redis-source.ts'
import { openPostgres } from '../../src/postgres/index.ts'
import { createDatabase } from '../servers/database.ts'
import { findRabbitmq, startRabbitmq } from '../servers/rabbitmq.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import { rowsOf, run } from './door.ts'

const waits = { timeout: 60_000, interval: 50 }
const limits = { timeout: 120_000 }

/**
 * A thread beside a loop in which what ran should have ended so long ago. That is said again and again: how busy this machine is does not
 * matter.
 */
function startThread(file: string, workerData: unknown, overSinceMs: number): Worker {
  const thread = new Worker(new URL(`../../src/jobs/drivers/${file}`, import.meta.url), { workerData })
  const order: LeaseOrder = { type: 'alive', mostMs: -overSinceMs }
  const say = (): void => thread.postMessage(order, [])
  // It hears this before it does anything.
  say()
  const says = setInterval(say, 50)
  onTestFinished(async () => {
    clearInterval(says)
    await thread.terminate()
  })
  return thread
}

/** What runs is over its time for as long as that when its loop is given up, or not. */
const [kept, givenUp] = [115_000, 125_000]

describe('a loop that is silent beyond the time of what runs there', () => {
  test.runIf(inject('postgresUrl'))('keeps its lease in the database for two minutes', limits, async () => {
    const { url, drop } = await createDatabase()
    const postgres = await openPostgres({ url })
    onTestFinished(async () => {
      await postgres.close()
      await drop()
    })
    await ensureJobTables(postgres)
    const row = "insert into plimsoll.job_workers (host, pid, alive_until) values ('h', 1, 'infinity')"
    await run(postgres, `${row}, ('h', 2, 'infinity')`)
    for (const [worker, overSinceMs] of [
      ['1', kept],
      ['2', givenUp],
    ] as const) {
      const data: LeaseThreadData = { options: { url }, worker, leaseMs: 2000 }
      startThread('database/lease-thread.ts', data, overSinceMs)
    }
    const leases = async (): Promise<readonly unknown[]> =>
      (await rowsOf(postgres, 'select extract(epoch from alive_until) from plimsoll.job_workers order by id')).flat()
    const seen = new Set<unknown>()
    // By then the other one could have given one as well.
    await vi.waitFor(async () => expect(seen.add((await leases())[0]).size).toBeGreaterThan(4), waits)
    expect((await leases())[1]).toBe('Infinity')
  })

  test.runIf(findRedis())('keeps its lease in Redis for two minutes', limits, async () => {
    const redis = (await startRedis({ args: ['--appendonly', 'yes'] }))!
    const client = new Redis(redis.url)
    onTestFinished(async () => {
      client.disconnect()
      await redis.stop()
    })
    const key = '{plimsoll:jobs}:workers'
    const never = Number.MAX_SAFE_INTEGER
    await client.zadd(key, never, 'kept', never, 'given up')
    for (const [worker, overSinceMs] of [
      ['kept', kept],
      ['given up', givenUp],
    ] as const) {
      const data: RedisThreadData = {
        address: readSource({ url: redis.url }),
        prefix: '{plimsoll:jobs}',
        worker,
        leaseMs: 2000,
      }
      startThread('redis/lease-thread.ts', data, overSinceMs)
    }
    const seen = new Set<unknown>()
    await vi.waitFor(async () => expect(seen.add(await client.zscore(key, 'kept')).size).toBeGreaterThan(4), waits)
    expect(Number(await client.zscore(key, 'given up'))).toBe(never)
  })

  test.runIf(findRabbitmq())('keeps what the broker has delivered for two minutes', limits, async () => {
    const rabbitmq = (await startRabbitmq())!
    onTestFinished(() => rabbitmq.stop())
    const data: ReaderOptions = { address: readAddress(rabbitmq.url), queues: [], dropped: 'dropped', heartbeatS: 8 }
    const lost = new Map<number, number>()
    const opened: unknown[] = []
    for (const overSinceMs of [kept, givenUp]) {
      lost.set(overSinceMs, 0)
      const thread = startThread('rabbitmq/reader-thread.ts', data, overSinceMs)
      thread.on('message', ({ type }: ReaderNews | { type: 'open' }) => {
        if (type === 'open') opened.push(overSinceMs)
        if (type === 'lost') lost.set(overSinceMs, lost.get(overSinceMs)! + 1)
      })
      await vi.waitFor(() => expect(opened).toContain(overSinceMs), waits)
    }
    await vi.waitFor(() => expect(lost.get(givenUp)).toBeGreaterThan(2), waits)
    expect(lost.get(kept)).toBe(0)
  })
})
