import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { connect, type Channel } from 'amqplib'
import { beforeAll, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { openJobRelay } from '../../src/app/job-relay.ts'
import { observe, type PlimsollEvent } from '../../src/core/events.ts'
import { rabbitmqEngine } from '../../src/jobs/drivers/rabbitmq/rabbitmq-engine.ts'
import { openJobs, type Job, type Jobs } from '../../src/jobs/index.ts'
import { openPostgres, type Postgres } from '../../src/postgres/index.ts'
import { rowsOf, run } from '../drivers/door.ts'
import { createDatabase, type Database } from '../servers/database.ts'
import { pause } from '../servers/pause.ts'
import { startPostgres } from '../servers/postgres.ts'
import { findRabbitmq, startRabbitmq, type RabbitmqServer } from '../servers/rabbitmq.ts'
import { Wire } from '../servers/wire.ts'
import { setClocksApart } from './jobs-clocks.ts'
import { killAgainAndAgain } from './jobs-killed.ts'
import { cutListeners } from './jobs-listeners.ts'
import { ends, makePoison, poisonThree } from './jobs-poisons.ts'
import { cutPower } from './jobs-power-cuts.ts'
import { began, elsewhere, killingLimits, startWorker, waits, type WorkerProcess } from './jobs-worker-process.ts'
import { lease } from './jobs-worker-talk.ts'

const limits = { timeout: 120_000 }
/** A queue that a crash has left without a leader is given up after half a minute. */
const patience = { timeout: 180_000 }
const patient = { ...waits, timeout: patience.timeout / 2 }

const known = ['work', 'held', 'charges', 'heeding', 'blocks', 'kills', 'exits', 'dies'].map(elsewhere)
const [work, held, charges, heeding, blocks, kills, exits, dies] = known as [Job, Job, Job, Job, Job, Job, Job, Job]

/** The inputs of jobs that take so long. */
function many(count: number, ms = 5): { readonly ms: number }[] {
  return Array.from({ length: count }, () => ({ ms }))
}

/** Somebody who enqueues, and does not work. */
interface Office {
  readonly postgres: Postgres
  readonly jobs: Jobs
  count(table: 'runs' | 'effects'): Promise<number>
  counts(): Promise<Readonly<Record<string, number>>>
  /** Of how many jobs the broker alone knows where they are. */
  handed(): Promise<number>
}

let rabbitmq: RabbitmqServer
let database: Database

/** The warnings from now on that say so. */
function noteWarnings(pattern: RegExp): readonly string[] {
  const texts: string[] = []
  const hear = ({ message }: Error): void => void (pattern.test(message) && texts.push(message))
  process.on('warning', hear)
  onTestFinished(() => void process.off('warning', hear))
  return texts
}

async function openOffice(queueUrl = rabbitmq.url): Promise<Office> {
  const postgres = await openPostgres({ url: database.url })
  onTestFinished(() => postgres.close())
  const engine = await rabbitmqEngine({ url: queueUrl, postgres, lease })
  const relayed = await openJobRelay(postgres, engine)
  const jobs = openJobs({ postgres, jobs: known, ...relayed })
  onTestFinished(() => jobs.close())
  const countOf = async (text: string): Promise<number> => Number((await rowsOf(postgres, text))[0]![0])
  return {
    postgres,
    jobs,
    count: (table) => countOf(`select count(*) from ${table}`),
    counts: async () => Object.fromEntries((await jobs.counts()).map(({ state, count }) => [state, count])),
    handed: () => countOf(`select count(*) from plimsoll.jobs where state = 'handed'`),
  }
}

function startWork(concurrency = 10, queueUrl = rabbitmq.url, skewMs = 0): Promise<WorkerProcess> {
  return startWorker(database.url, { concurrency, queueUrl, skewMs })
}

/** The queue that jobs without an order are in. */
async function queueOf({ postgres }: Office): Promise<string> {
  const [[ledger]] = (await rowsOf(postgres, 'select name from plimsoll.job_ledger')) as [[string]]
  return `plimsoll.${ledger}.jobs.default`
}

/** The same, and a channel to what the broker knows of it. */
async function openQueueOf(office: Office): Promise<{ readonly queue: string; readonly channel: Channel }> {
  const broker = await connect(rabbitmq.url)
  onTestFinished(() => broker.close())
  return { queue: await queueOf(office), channel: await broker.createChannel() }
}

/** How many read a queue, which may not be there for a moment: what asks for it then is closed. */
async function readersOf(queue: string): Promise<number> {
  const broker = await connect(rabbitmq.url)
  try {
    const channel = await broker.createChannel()
    channel.on('error', () => {})
    return (await channel.checkQueue(queue)).consumerCount
  } finally {
    await broker.close()
  }
}

describe.runIf(findRabbitmq() !== undefined && inject('postgresUrl') !== '')('jobs on RabbitMQ', () => {
  beforeAll(async () => {
    rabbitmq = (await startRabbitmq())!
    return () => rabbitmq.stop()
  })
  beforeEach(async () => {
    database = await createDatabase()
    await using door = await openPostgres({ url: database.url })
    await run(door, 'create table runs (key text not null, pid int not null)')
    await run(door, 'create table effects (key text primary key, pid int not null)')
    return () => database.drop()
  })

  test(
    'workers that are killed again and again lose nothing, and every effect is there once',
    killingLimits,
    async () => {
      const { jobs, count } = await openOffice()
      // Some are done before they are in the books, some after.
      const msOf = (index: number): number => (index % 2 === 0 ? 1 : 40)
      await killAgainAndAgain({ jobs, work, count, start: startWork, msOf, lostPerRun: 2 })
    },
  )

  test(
    'a broker that is killed with jobs waiting and running loses nothing, and holds nobody up',
    patience,
    async () => {
      const office = await openOffice()
      await office.jobs.enqueueMany(work, many(300))
      const worker = await startWork()
      const long = await office.jobs.enqueue(held, 1)
      await vi.waitFor(async () => expect(await office.count('effects')).toBeGreaterThan(100), waits)
      await rabbitmq.crash()
      // They wait in the tables, and are run from there.
      const meanwhile = await office.jobs.enqueueMany(work, many(20))
      const committed = await office.postgres.transaction(() => office.jobs.enqueue(work, { ms: 1 }))
      await Promise.all([...meanwhile, committed].map((handle) => handle.result()))
      await office.jobs.enqueueMany(work, many(80))
      await rabbitmq.restart()
      await began(worker)
      worker.order({ type: 'go' })
      expect(await long.result()).toBe(worker.pid)
      await vi.waitFor(async () => expect(await office.counts()).toEqual({ done: 402 }), waits)
      expect(await office.count('effects')).toBe(401)
      expect(await long.status()).toMatchObject({ attempts: 1, deaths: 0 })
      // And the broker is used again.
      await worker.kill()
      await vi.waitFor(async () => {
        await office.jobs.enqueue(work, { ms: 1 })
        expect(await office.handed()).toBeGreaterThan(0)
      }, patient)
    },
  )

  test('a queue that a crash has left without a leader holds up one enqueue, and is made again', patience, async () => {
    const office = await openOffice()
    const handles = [await office.jobs.enqueue(work, { ms: 1 })]
    expect(await office.handed()).toBe(1)
    // As right after the queue was made: the broker has confirmed the message, and not yet written down whose log that is in.
    const queue = await queueOf(office)
    rabbitmq.control('eval', `dets:delete(ra_directory_reverse, '%2F_${queue}'), dets:sync(ra_directory_reverse).`)
    await rabbitmq.crash()
    await rabbitmq.restart()
    const aside = noteWarnings(/^Jobs go past RabbitMQ until it confirms/)
    const worker = await startWork()
    // The connection is made again meanwhile.
    await vi.waitFor(async () => {
      handles.push(await office.jobs.enqueue(work, { ms: 1 }))
      expect(aside).toHaveLength(1)
    }, waits)
    for (let n = 0; n < 20; n++) handles.push(await office.jobs.enqueue(work, { ms: 1 }))
    expect(aside).toHaveLength(1)
    await Promise.all(handles.map((handle) => handle.result()))
    await vi.waitFor(async () => expect(await readersOf(queue)).toBe(1), patient)
    await worker.kill()
    await vi.waitFor(async () => {
      handles.push(await office.jobs.enqueue(work, { ms: 1 }))
      expect(await office.handed()).toBeGreaterThan(0)
    }, patient)
    await startWork()
    await Promise.all(handles.map((handle) => handle.result()))
    expect([await office.count('runs'), await office.count('effects')]).toEqual([handles.length, handles.length])
    expect(aside).toHaveLength(1)
  })

  test('connections that are cut again and again lose nothing and repeat nothing', limits, async () => {
    const wire = new Wire(rabbitmq.url)
    await wire.join()
    onTestFinished(() => wire.cut())
    const office = await openOffice(wire.url)
    const worker = await startWork(10, wire.url)
    const jobs = 600
    const enqueued = office.jobs.enqueueMany(work, many(jobs, 3))
    for (const threshold of [50, 150, 300]) {
      await vi.waitFor(async () => expect(await office.count('effects')).toBeGreaterThan(threshold), waits)
      await wire.cut()
      await office.jobs.enqueueMany(work, many(10))
      await wire.join()
    }
    await enqueued
    await vi.waitFor(async () => expect(await office.counts()).toEqual({ done: jobs + 30 }), waits)
    expect([await office.count('effects'), await office.count('runs')]).toEqual([jobs + 30, jobs + 30])
    await worker.kill()
  })

  test('a broker that is cut off for 30 s takes no job from who runs it, and holds nobody up', limits, async () => {
    const wire = new Wire(rabbitmq.url)
    await wire.join()
    onTestFinished(() => wire.cut())
    const office = await openOffice(wire.url)
    const { queue, channel } = await openQueueOf(office)
    const first = await startWork(10, wire.url)
    const long = await office.jobs.enqueue(charges, 1)
    await began(first)
    await wire.cut()
    // It is the time itself that is tested.
    const time = new Promise((resolve) => setTimeout(resolve, 30_000))
    // The broker gives out again what was not acknowledged, to whom it still knows.
    const second = await startWork()
    const meanwhile = await office.jobs.enqueueMany(work, many(20))
    const committed = await office.postgres.transaction(() => office.jobs.enqueue(work, { ms: 1 }))
    await Promise.all([...meanwhile, committed].map((handle) => handle.result()))
    await time
    await second.kill()
    const readers = async (): Promise<number> => (await channel.checkQueue(queue)).consumerCount
    await vi.waitFor(async () => expect(await readers()).toBe(0), waits)
    await wire.join()
    await vi.waitFor(async () => expect(await readers()).toBe(1), waits)
    first.order({ type: 'go' })
    expect(await long.result()).toBe(first.pid)
    expect(await long.status()).toMatchObject({ attempts: 1, deaths: 0 })
    await (await office.jobs.enqueue(work, { ms: 1 })).result()
    expect(await office.counts()).toEqual({ done: 23 })
    expect([await office.count('runs'), await office.count('effects')]).toEqual([23, 23])
  })

  test('a wire that goes dead holds up enqueueing for a while only', limits, async () => {
    const wire = new Wire(rabbitmq.url)
    await wire.join()
    onTestFinished(() => wire.cut())
    const office = await openOffice(wire.url)
    await office.jobs.enqueue(work, { ms: 1 })
    wire.goDead()
    const worker = await startWork()
    const handles = await Promise.all([office.jobs.enqueue(work, { ms: 1 }), office.jobs.enqueueMany(work, many(5))])
    for (const handle of handles.flat()) await handle.result()
    expect(await office.count('runs')).toBe(7)
    await worker.kill()
  })

  test('a worker that was stopped past its lease cannot say what has come of its runs', limits, async () => {
    const office = await openOffice()
    const first = await startWork(2)
    const handles = [await office.jobs.enqueue(held, 1), await office.jobs.enqueue(heeding, 2)]
    await began(first, 2)
    // What is stopped before its run is in the books may not have begun, for all that others know.
    await vi.waitFor(async () => expect(await office.handed()).toBe(0), waits)
    pause(first.child)
    const second = await startWork(2)
    await began(second, 2)
    second.order({ type: 'go' })
    for (const handle of handles) expect(await handle.result()).toBe(second.pid)
    const before = await Promise.all(handles.map((handle) => handle.status()))
    first.child.kill('SIGCONT')
    first.order({ type: 'go' })
    await vi.waitFor(
      () =>
        expect(first.news.filter(({ type }) => type === 'ended')).toMatchObject(
          handles.map(() => ({ outcome: 'lost' })),
        ),
      waits,
    )
    expect(await Promise.all(handles.map((handle) => handle.status()))).toEqual(before)
    expect(before).toMatchObject(handles.map(() => ({ attempts: 1, deaths: 1 })))
  })

  test('a job that blocks its worker for longer than a lease and all heartbeats is not run twice', limits, async () => {
    const office = await openOffice()
    const first = await startWork(1)
    const handle = await office.jobs.enqueue(blocks, { ms: 7000 })
    await began(first)
    const second = await startWork(1)
    expect(await handle.result()).toBe(first.pid)
    expect(await handle.status()).toMatchObject({ attempts: 1, deaths: 0 })
    expect(await office.count('runs')).toBe(1)
    // It has kept its place.
    await second.kill()
    expect(await (await office.jobs.enqueue(blocks, { ms: 1 })).result()).toBe(first.pid)
  })

  test(
    'a job that has killed three workers is put in quarantine, and what waits beside it is not',
    limits,
    async () => {
      const office = await openOffice()
      const deaths: PlimsollEvent[] = []
      const poison = await office.jobs.enqueue(kills, 1)
      // Some say that they work before they die.
      for (let n = 0; n < 3; n++)
        await startWork().then(
          ({ gone }) => gone,
          () => {},
        )
      const beside = await office.jobs.enqueueMany(work, many(20))
      onTestFinished(observe((event) => void (event.type === 'job.death' && deaths.push(event))))
      await startWork()
      await vi.waitFor(async () => expect((await poison.status())!.state).toBe('quarantined'), waits)
      expect(await poison.status()).toMatchObject({ attempts: 0, deaths: 3, error: { name: 'WorkerDied' } })
      await Promise.all(beside.map((handle) => handle.result()))
      for (const handle of beside) expect(await handle.status()).toMatchObject({ attempts: 1, deaths: 0 })
      expect(await office.count('runs')).toBe(3 + 20)
    },
  )

  test.each(ends)('a job that ends its worker with its first line (%s) has three runs', limits, async (how) => {
    const { jobs } = await openOffice()
    const poison = makePoison(how)
    await poisonThree({ poison, handle: await jobs.enqueue(dies, poison), start: () => startWork() })
  })

  test('a job that ends the process which has just committed it has three runs', limits, async () => {
    const poison = makePoison('kill')
    const first = await startWork()
    first.order({ type: 'commit', poison })
    await first.gone
    const { jobs, postgres } = await openOffice()
    // Nobody has noted that it was handed on, so it is once more.
    await vi.waitFor(async () => expect(await rowsOf(postgres, 'select 1 from plimsoll.outbox')).toEqual([]), waits)
    const [job] = await jobs.list({ states: ['waiting'] })
    await poisonThree({ poison, handle: jobs.handle(job!.id), start: () => startWork() })
  })

  test('a job that ends its process runs again elsewhere', limits, async () => {
    const office = await openOffice()
    const first = await startWork()
    const exited = once(first.child, 'exit')
    const handle = await office.jobs.enqueue(exits, { pid: first.pid })
    expect((await exited)[0]).toBe(3)
    const second = await startWork()
    expect(await handle.result()).toBe(second.pid)
    // It may have ended before its run was in the books: then nobody knows of a death.
    const { attempts, deaths } = (await handle.status())!
    expect([attempts, deaths <= 1]).toEqual([1, true])
  })

  test('jobs start when the connection that hears of them is cut, and are heard of again', limits, async () => {
    const { jobs, postgres } = await openOffice()
    await cutListeners({ jobs, postgres, work, start: startWork })
  })

  test('the clocks of processes do not matter', limits, async () => {
    const { jobs, count } = await openOffice()
    await setClocksApart({ jobs, work, count, start: (skewMs) => startWork(10, rabbitmq.url, skewMs) })
  })

  test('a job that runs on another machine is cancelled there, and one at the broker never runs', limits, async () => {
    const office = await openOffice()
    const worker = await startWork(1)
    const running = await office.jobs.enqueue(heeding, 1)
    await began(worker)
    // What is cancelled before its run is in the books is lost to its worker, for all that it knows.
    await vi.waitFor(async () => expect(await office.handed()).toBe(0), waits)
    const waiting = await office.jobs.enqueue(work, { ms: 1 })
    expect(await office.jobs.cancel(running.id, waiting.id)).toBe(2)
    await vi.waitFor(
      () => expect(worker.news.filter(({ type }) => type === 'ended')).toMatchObject([{ outcome: 'cancelled' }]),
      waits,
    )
    expect(await (await office.jobs.enqueue(exits, { pid: 0 })).result()).toBe(worker.pid)
    expect(await office.counts()).toEqual({ cancelled: 2, done: 1 })
    expect(await office.count('runs')).toBe(0)
  })

  test.each(['before', 'after'])(
    'jobs of a process that dies %s it has handed them on are run once each',
    limits,
    async (dies) => {
      const env = { ...process.env, DATABASE_URL: database.url, QUEUE_URL: rabbitmq.url, DIES: dies }
      const child = fork(fileURLToPath(new URL('./job-relay-that-dies.ts', import.meta.url)), { execArgv: [], env })
      onTestFinished(() => void child.kill('SIGKILL'))
      expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
      const office = await openOffice()
      await vi.waitFor(async () => expect(await office.counts()).toEqual({ waiting: 3 }), waits)
      await vi.waitFor(
        async () => expect(await rowsOf(office.postgres, 'select 1 from plimsoll.outbox')).toEqual([]),
        waits,
      )
      const worker = await startWork()
      await vi.waitFor(async () => expect(await office.counts()).toEqual({ done: 3 }), waits)
      await office.jobs.enqueue(work, { ms: 1 }).then((last) => last.result())
      expect([await office.count('runs'), await office.count('effects')]).toEqual([4, 4])
      await worker.kill()
    },
  )

  test(
    'what a process that died has not published runs soon, when all who may have it have said that they do not',
    limits,
    async () => {
      const office = await openOffice()
      const first = await startWork(1)
      // Long enough for the other worker to look for what was lost.
      const blocked = await office.jobs.enqueue(blocks, { ms: 13_000 })
      await began(first)
      const env = { ...process.env, DATABASE_URL: database.url, QUEUE_URL: rabbitmq.url }
      const child = fork(fileURLToPath(new URL('./job-publisher-that-dies.ts', import.meta.url)), { execArgv: [], env })
      onTestFinished(() => void child.kill('SIGKILL'))
      expect(await once(child, 'exit')).toEqual([null, 'SIGKILL'])
      expect(await office.handed()).toBeGreaterThanOrEqual(3)
      await startWork()
      expect(await blocked.result()).toBe(first.pid)
      await vi.waitFor(async () => expect(await office.counts()).toEqual({ done: 1 + 3 }), waits)
      expect([await office.count('runs'), await office.count('effects')]).toEqual([1 + 3, 3])
    },
  )

  test('a message that is delivered again, and one that is there twice, have their effect once', limits, async () => {
    const office = await openOffice()
    const wire = new Wire(rabbitmq.url)
    await wire.join()
    onTestFinished(() => wire.cut())
    await office.jobs.enqueueMany(work, many(10))
    const { queue, channel } = await openQueueOf(office)
    const message = await channel.get(queue, { noAck: true })
    if (message === false) throw new Error('There is no message.')
    for (let copies = 0; copies < 2; copies++) channel.sendToQueue(queue, message.content, { persistent: true })
    // What it acknowledges does not get through: the broker gives all of it to somebody else.
    const worker = await startWork(10, wire.url)
    await vi.waitFor(async () => expect(await office.counts()).toEqual({ done: 10 }), waits)
    wire.goDead()
    await worker.kill()
    wire.drop()
    await startWork()
    await (await office.jobs.enqueue(work, { ms: 1 })).result()
    await vi.waitFor(async () => expect((await channel.checkQueue(queue)).messageCount).toBe(0), waits)
    expect(await office.count('effects')).toBe(11)
  })

  test('a PostgreSQL that restarts as after a power cut loses no job that was acknowledged', limits, async () => {
    const server = (await startPostgres())!
    onTestFinished(() => server.stop())
    await cutPower({
      server,
      open: async (postgres, job) => {
        const engine = await rabbitmqEngine({ url: rabbitmq.url, postgres, heartbeat: { url: server.url }, lease })
        return openJobs({ postgres, jobs: [job], ...(await openJobRelay(postgres, engine)) })
      },
    })
  })

  test('what a queue had that was deleted is run from the tables', limits, async () => {
    const office = await openOffice()
    const handles = await office.jobs.enqueueMany(work, many(20))
    const { queue, channel } = await openQueueOf(office)
    expect(await channel.deleteQueue(queue)).toEqual({ messageCount: 20 })
    const worker = await startWork()
    await Promise.all(handles.map((handle) => handle.result()))
    // While somebody reads it, too.
    await channel.deleteQueue(queue)
    await Promise.all((await office.jobs.enqueueMany(work, many(20))).map((handle) => handle.result()))
    expect([await office.count('runs'), await office.count('effects')]).toEqual([40, 40])
    await worker.kill()
  })
})
