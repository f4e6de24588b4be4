import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { openQueue } from '../../../src/app/open-queue.ts'
import { observe } from '../../../src/core/events.ts'
import type { Jobs } from '../../../src/jobs/index.ts'
import type { JobDefinition } from '../../../src/jobs/define-job.ts'
import { prepareJob } from '../../../src/jobs/enqueuer.ts'
import { packJobs, relayKind } from '../../../src/jobs/relay/packed-jobs.ts'
import { openOutbox } from '../../../src/outbox/index.ts'
import { wakeChannel } from '../../../src/outbox/outbox-rows.ts'
import { createStatement, openPostgres, type Postgres } from '../../../src/postgres/index.ts'
import { run, valueOf } from '../../drivers/door.ts'
import { failureOf } from '../../drivers/jobs.ts'
import { createDatabase, embeddedDatabase, type Database } from '../../servers/database.ts'
import { findRedis, startRedis, type RedisServer } from '../../servers/redis.ts'
import { forgottenJob, ran, relayedJob } from './relayed-job.ts'

const databases = inject('postgresUrl') ? ['PGlite', 'PostgreSQL'] : ['PGlite']
const recorded = `select count(*) from plimsoll.outbox where kind = '${relayKind}'`

let redis: RedisServer | undefined
beforeAll(async () => {
  redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
})
afterAll(async () => redis?.stop())

describe.runIf(findRedis()).each(databases)('jobs in transactions of %s, on Redis', (name) => {
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
  beforeEach(async () => {
    ran.length = 0
    const client = new Redis(redis!.url)
    await client.flushall()
    client.disconnect()
  })

  async function open(): Promise<Jobs> {
    const jobs = await openQueue(postgres, {
      url: redis!.url,
      jobs: [relayedJob, forgottenJob],
      database: { url: database.url },
    })
    onTestFinished(() => jobs.close({ timeout: 0 }))
    return jobs
  }

  /** Wakes the relays, as whoever records says; they look by themselves each 5 s. */
  const wake = (): Promise<unknown> => run(postgres, `select pg_notify('${wakeChannel}', '${relayKind}')`)

  const enqueue = (jobs: Jobs, ...inputs: readonly string[]) => jobs.enqueueMany(relayedJob, inputs)

  test('are handed on when the transaction commits, before its caller learns of it', async () => {
    const jobs = await open()
    const [handle] = await postgres.transaction(async () => {
      const handles = await enqueue(jobs, 'a', 'b')
      expect(await jobs.counts()).toEqual([])
      return handles
    })
    expect(await jobs.counts()).toEqual([{ queue: 'default', state: 'waiting', count: 2 }])
    await jobs.work()
    expect(await handle!.result()).toBe('a')
    await expect.poll(() => ran.toSorted()).toEqual(['a', 'b'])
    await expect.poll(() => valueOf(postgres, recorded)).toBe('0')
  })

  test('are undone with a transaction that is rolled back, and with a savepoint alone', async () => {
    const jobs = await open()
    const failing = postgres.transaction(async () => {
      await enqueue(jobs, 'undone')
      throw new Error('undo')
    })
    await expect(failing).rejects.toThrow('undo')
    expect(await valueOf(postgres, recorded)).toBe('0')
    await postgres.transaction(async (transaction) => {
      await enqueue(jobs, 'before')
      const savepoint = transaction.transaction(async () => {
        await enqueue(jobs, 'undone too')
        throw new Error('only this')
      })
      await expect(savepoint).rejects.toThrow('only this')
      await transaction.transaction(() => enqueue(jobs, 'kept'))
    })
    await jobs.work()
    await expect.poll(() => ran.toSorted()).toEqual(['before', 'kept'])
    await expect.poll(() => jobs.counts()).toEqual([{ queue: 'default', state: 'done', count: 2 }])
  })

  test('ten thousand are ten rows, and all of them arrive once', async () => {
    const jobs = await open()
    const inputs = Array.from({ length: 10_000 }, (_, i) => String(i))
    await postgres.transaction(async (transaction) => {
      await enqueue(jobs, ...inputs)
      expect(await valueOf(transaction, recorded)).toBe('10')
    })
    const counts = async (): Promise<unknown> => jobs.counts()
    await expect.poll(counts).toEqual([{ queue: 'default', state: 'waiting', count: 10_000 }])
    await jobs.work({ concurrency: 200 })
    await expect.poll(() => ran.length).toBe(10_000)
    expect(new Set(ran).size).toBe(10_000)
  })

  test('are stored once, however often they are handed on, and also when they were forgotten since', async () => {
    const jobs = await open()
    const before = `create table if not exists kept_packs as select kind, items from plimsoll.outbox where false`
    await run(postgres, before)
    await postgres.transaction(async (transaction) => {
      await jobs.enqueue(forgottenJob, 'once')
      await run(transaction, `insert into kept_packs select kind, items from plimsoll.outbox`)
    })
    const again = async (): Promise<void> => {
      await run(postgres, 'insert into plimsoll.outbox (kind, items) select * from kept_packs')
      await wake()
      await expect.poll(() => valueOf(postgres, recorded)).toBe('0')
    }
    await again()
    expect(await jobs.counts()).toEqual([{ queue: 'default', state: 'waiting', count: 1 }])
    await jobs.work()
    await expect.poll(() => ran).toEqual(['once'])
    await expect.poll(() => jobs.counts()).toEqual([])
    await again()
    expect(await jobs.counts()).toEqual([])
    expect(ran).toEqual(['once'])
  })

  test('go through the outbox of their application, if it has one, which stays open when they are closed', async () => {
    const outbox = await openOutbox({ postgres, durable: false, records: true })
    onTestFinished(() => outbox.close())
    const listen = vi.spyOn(postgres, 'listen')
    onTestFinished(() => listen.mockRestore())
    const known = { url: redis!.url, jobs: [relayedJob], database: { url: database.url } }
    const jobs = await openQueue(postgres, { ...known, outbox })
    expect(listen.mock.calls.map(([channel]) => channel)).toEqual([])
    const [handle] = await postgres.transaction(() => enqueue(jobs, 'shared'))
    await jobs.work()
    expect(await handle!.result()).toBe('shared')
    await jobs.close()
    // They wait for whoever carries them; other effects go on.
    const left = await postgres.transaction(() => enqueue(jobs, 'left'))
    expect(await valueOf(postgres, recorded)).toBe('1')
    const items: string[] = []
    outbox.carry('other', async (some) => void items.push(...some))
    await postgres.transaction((own) => outbox.record(own, 'other', ['carried']))
    expect(items).toEqual(['carried'])
    const next = await openQueue(postgres, { ...known, outbox })
    onTestFinished(() => next.close({ timeout: 0 }))
    await next.work()
    expect(await next.handle(left[0]!.id).result()).toBe('left')
  })

  test('that are cancelled before they were handed on do not run', async () => {
    const jobs = await open()
    const job = await prepareJob(relayedJob as JobDefinition, 'cancelled')
    const [pack] = packJobs([job])
    const insert = createStatement(
      `insert into plimsoll.outbox (kind, items, due_at) values ($1, $2, clock_timestamp() + interval '1 hour')`,
      { tracked: true },
    )
    await postgres.execute(insert, [relayKind, [pack!]])
    const handle = jobs.handle(job.id)
    expect(await handle.status()).toMatchObject({ state: 'waiting' })
    expect(await handle.cancel()).toBe(true)
    expect(await handle.status()).toMatchObject({ state: 'cancelled' })
    await run(postgres, 'update plimsoll.outbox set due_at = clock_timestamp()')
    await wake()
    await expect.poll(() => valueOf(postgres, recorded), { timeout: 20_000 }).toBe('0')
    await jobs.work()
    expect(await (await jobs.enqueue(relayedJob, 'after')).result()).toBe('after')
    expect(ran).toEqual(['after'])
  })

  test('wait for a Redis that is away when they are committed, and are known meanwhile', async () => {
    const jobs = await open()
    await redis!.crash()
    const relayed: boolean[] = []
    onTestFinished(observe((event) => void (event.type === 'outbox.relay' && relayed.push(event.error === undefined))))
    const handle = await postgres.transaction(() => jobs.enqueue(relayedJob, 'meanwhile'))
    expect(relayed).toContain(false)
    expect((await failureOf(jobs.enqueue(relayedJob, 'direct'))).code).toBe('PLIMSOLL_JOBS_UNREACHABLE')
    expect(ran).toEqual([])
    await redis!.restart()
    await expect
      .poll(() => handle.status().catch(() => undefined))
      .toMatchObject({ state: 'waiting', input: 'meanwhile' })
    await jobs.work()
    expect(await handle.result()).toBe('meanwhile')
    expect(ran).toEqual(['meanwhile'])
  })

  test.runIf(name === 'PostgreSQL').each(['committed', 'published'])(
    'of a process that was killed when they were %s are handed on by another one, once',
    async (stage) => {
      const writer = fork(join(import.meta.dirname, 'relay-process.ts'), [database.url, redis!.url, stage])
      const [{ id }] = (await once(writer, 'message')) as [{ id: string }]
      writer.kill('SIGKILL')
      await once(writer, 'exit')
      expect(await valueOf(postgres, recorded)).toBe('1')
      const jobs = await open()
      expect(await jobs.handle(id).status()).toMatchObject({ state: 'waiting', input: 'of the killed' })
      await jobs.work()
      expect(await jobs.handle(id).result()).toBe('of the killed')
      await expect.poll(() => valueOf(postgres, recorded)).toBe('0')
      expect(ran).toEqual(['of the killed'])
      expect(await jobs.counts()).toEqual([{ queue: 'default', state: 'done', count: 1 }])
    },
  )
})

test('a queue that nobody knows is refused', async () => {
  const postgres = await openPostgres({ url: 'pglite:memory' })
  onTestFinished(() => postgres.close())
  const opening = openQueue(postgres, { url: 'kafka://localhost', jobs: [], database: { url: 'pglite:memory' } })
  expect((await failureOf(opening)).message).toContain('kafka://localhost')
})
