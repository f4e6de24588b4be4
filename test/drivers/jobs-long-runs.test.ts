import { describe, expect, inject, onTestFinished, test } from 'vitest'
import type { JobEngine } from '../../src/jobs/contract.ts'
import { databaseEngine } from '../../src/jobs/drivers/database/database-engine.ts'
import { rabbitmqEngine } from '../../src/jobs/drivers/rabbitmq/rabbitmq-engine.ts'
import { redisEngine } from '../../src/jobs/drivers/redis/redis-engine.ts'
import { jobId } from '../../src/jobs/job-id.ts'
import { openPostgres } from '../../src/postgres/index.ts'
import { createDatabase, embeddedDatabase } from '../servers/database.ts'
import { findRabbitmq } from '../servers/rabbitmq.ts'
import { findRedis, startRedis } from '../servers/redis.ts'
import { rabbitmqUrl } from '../servers/shared-rabbitmq.ts'

interface ThreadedEngine {
  readonly name: string
  readonly runs: boolean
  open(): Promise<JobEngine>
}

const engines: readonly ThreadedEngine[] = [
  {
    name: 'PostgreSQL',
    runs: inject('postgresUrl') !== '',
    open: async () => {
      const { url, drop } = await createDatabase()
      onTestFinished(drop)
      const postgres = await openPostgres({ url })
      onTestFinished(() => postgres.close())
      return databaseEngine({ postgres, heartbeat: { url } })
    },
  },
  {
    name: 'Redis',
    runs: findRedis() !== undefined,
    open: async () => {
      const redis = (await startRedis({ args: ['--appendonly', 'yes'] }))!
      onTestFinished(() => redis.stop())
      return redisEngine({ url: redis.url })
    },
  },
  {
    name: 'RabbitMQ',
    runs: findRabbitmq() !== undefined,
    open: async () => {
      const postgres = await openPostgres(embeddedDatabase)
      onTestFinished(() => postgres.close())
      return rabbitmqEngine({ url: await rabbitmqUrl(), postgres, threaded: true })
    },
  },
]

describe.each(engines.filter(({ runs }) => runs))('a job that blocks the event loop on $name', ({ open }) => {
  test('cannot begin to before the thread has been told how long it may', { timeout: 60_000 }, async () => {
    const engine = await open()
    let taken = false
    let told = false
    const toldInTime = Promise.withResolvers<boolean>()
    const consumer = await engine.consume({
      queues: [{ name: 'q', concurrency: 1 }],
      concurrency: 1,
      limits: new Map(),
      mostRunMs: () => {
        told = taken
        return taken ? 600_000 : 0
      },
      take: (job) => {
        taken = true
        // Its handler runs no sooner, and from then on may keep everything else from running.
        queueMicrotask(() => {
          toldInTime.resolve(told)
          void consumer.settle(job, { state: 'done', output: undefined, keepMs: 0 })
        })
      },
      lost: () => {},
      cancelled: () => {},
      ended: () => {},
    })
    onTestFinished(() => engine.close())
    await consumer.start()
    const none = { unique: undefined, limit: undefined, owner: undefined, trace: undefined, step: undefined }
    await engine.add([
      { id: jobId(), name: 'j', version: 1, queue: 'q', priority: 0, tenant: '', input: '1', delayMs: 0, ...none },
    ])
    expect(await toldInTime.promise).toBe(true)
  })
})
