import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, inject, test, type TestContext } from 'vitest'
import { openJobRelay } from '../../src/app/job-relay.ts'
import { mostDeaths } from '../../src/jobs/contract.ts'
import { databaseEngine } from '../../src/jobs/drivers/database/database-engine.ts'
import { rabbitmqEngine } from '../../src/jobs/drivers/rabbitmq/rabbitmq-engine.ts'
import { redisEngine } from '../../src/jobs/drivers/redis/redis-engine.ts'
import { sweep } from '../../src/jobs/drivers/redis/scripts/lease.ts'
import { usualLeaseMs } from '../../src/jobs/drivers/lease-times.ts'
import { workerDied } from '../../src/jobs/drivers/worker-died.ts'
import { openPostgres, type Postgres } from '../../src/postgres/index.ts'
import { createDatabase, type Database } from '../servers/database.ts'
import { findRabbitmq } from '../servers/rabbitmq.ts'
import { findRedis, startRedis, type RedisServer } from '../servers/redis.ts'
import { rabbitmqUrl } from '../servers/shared-rabbitmq.ts'
import { run } from './door.ts'
import { cancelledKeyCases } from './jobs-cancelled-keys.ts'
import { controlCases } from './jobs-control.ts'
import { enqueueCases } from './jobs-enqueue.ts'
import { flowCases } from './jobs-flows.ts'
import { orphanCases } from './jobs-orphans.ts'
import { runCases } from './jobs-runs.ts'
import { sandboxCases } from './jobs-sandbox.ts'
import { setUp, type JobsCase, type JobsEngine, type OnFinished } from './jobs.ts'

const cases = {
  enqueueing: enqueueCases,
  runs: runCases,
  orphans: orphanCases,
  control: controlCases,
  'keys of cancelled runs': cancelledKeyCases,
  sandboxes: sandboxCases,
  'workflows and schedules': flowCases,
}

let embedded: Postgres | undefined
let redis: RedisServer | undefined
let brokerUrl = ''
let database: Database | undefined

async function endDatabaseLeases(): Promise<void> {
  const end = 'delete from plimsoll.job_workers'
  if (embedded !== undefined) return void (await run(embedded, end))
  await using postgres = await openPostgres({ url: database!.url })
  await run(postgres, end)
}

async function endRedisLeases(url: string): Promise<void> {
  const client = new Redis(url)
  const workers = await client.zrange('{plimsoll:jobs}:workers', '0', '-1')
  const together = client.multi()
  for (const worker of workers) together.zadd('{plimsoll:jobs}:workers', 'XX', '1', worker)
  // In one step: they are alive, and would say so.
  together.eval(sweep.text, 1, '{plimsoll:jobs}', mostDeaths, workerDied, usualLeaseMs)
  await together.exec()
  client.disconnect()
}

/** A PostgreSQL where there is one, through a door of each process's own; else an embedded database, which is one process's. */
const besideABroker = {
  async start(): Promise<void> {
    if (inject('postgresUrl') === '') embedded = await openPostgres({ url: 'pglite:memory' })
    else database = await createDatabase()
  },
  open: async (onFinished: OnFinished): Promise<Postgres> => embedded ?? openDoor(onFinished),
  async stop(): Promise<void> {
    await embedded?.close()
    await database?.drop()
    embedded = database = undefined
  },
}

async function openDoor(onFinished: OnFinished): Promise<Postgres> {
  const postgres = await openPostgres({ url: database!.url, sharedConnections: 1, maxTransactions: 4 })
  onFinished(() => postgres.close())
  return postgres
}

const engines: readonly JobsEngine[] = [
  {
    name: 'an embedded database',
    lacks: {},
    runs: true,
    // It is one process's, so all of them go by the same door.
    open: async () => ({ postgres: embedded!, engine: await databaseEngine({ postgres: embedded! }) }),
    endLeases: endDatabaseLeases,
    start: async () => {
      embedded = await openPostgres({ url: 'pglite:memory' })
    },
    stop: async () => {
      await embedded?.close()
      embedded = undefined
    },
  },
  {
    name: 'PostgreSQL',
    lacks: {},
    runs: inject('postgresUrl') !== '',
    open: async (onFinished) => {
      const postgres = await openDoor(onFinished)
      // With a thread for the lease of each worker this would take three times as long; test/faults has them.
      return { postgres, engine: await databaseEngine({ postgres }) }
    },
    endLeases: endDatabaseLeases,
    start: async () => {
      database = await createDatabase()
    },
    stop: async () => {
      await database?.drop()
      database = undefined
    },
  },
  {
    name: 'Redis',
    lacks: {
      statements: 'Redis has no statements',
      'found deaths': 'the cases take the leases of the dead themselves: jobs-redis.test.ts has others take them',
    },
    runs: findRedis() !== undefined,
    open: async (onFinished) => {
      const postgres = await besideABroker.open(onFinished)
      const engine = await redisEngine({ url: redis!.url })
      return { postgres, ...(await openJobRelay(postgres, engine)) }
    },
    endLeases: () => endRedisLeases(redis!.url),
    start: async () => {
      redis = await startRedis({ args: ['--appendonly', 'yes'] })
      await besideABroker.start()
    },
    stop: async () => {
      await besideABroker.stop()
      await redis?.stop()
    },
  },
  {
    name: 'RabbitMQ',
    lacks: { statements: 'jobs of transactions are relayed' },
    runs: findRabbitmq() !== undefined,
    open: async (onFinished) => {
      const postgres = await besideABroker.open(onFinished)
      // As on PostgreSQL, without threads.
      const engine = await rabbitmqEngine({ url: brokerUrl, postgres })
      return { postgres, ...(await openJobRelay(postgres, engine)) }
    },
    endLeases: endDatabaseLeases,
    start: async () => {
      brokerUrl = await rabbitmqUrl()
      await besideABroker.start()
    },
    stop: async () => {
      await besideABroker.stop()
    },
  },
]

describe.each(engines.filter(({ runs }) => runs))('jobs on $name', (engine) => {
  beforeAll(async () => engine.start?.())
  afterAll(async () => engine.stop?.())
  describe.each(Object.entries(cases))('%s', (_, list: readonly JobsCase[]) => {
    testAll(engine, list, false)
  })
  describe('what mostly waits', { concurrent: true }, () => {
    testAll(engine, Object.values(cases).flat(), true)
  })
})

/** Tests those of the cases that wait, or those that do not. */
function testAll(engine: JobsEngine, list: readonly JobsCase[], waiting: boolean): void {
  for (const { name, needs = [], run } of list.filter(({ waits = false }) => waits === waiting)) {
    const reason = needs.map((need) => engine.lacks[need]).find((lack) => lack !== undefined)
    test.skipIf(reason !== undefined)(
      reason === undefined ? name : `${name} (${reason})`,
      // Of those that go on beside each other each has its own.
      ({ onTestFinished }: TestContext) => run(setUp(engine, onTestFinished)),
    )
  }
}
