import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { databaseEngine } from '../../src/jobs/drivers/database/database-engine.ts'
import { defineJob, openJobs, type Jobs } from '../../src/jobs/index.ts'
import { openPostgres, type Postgres } from '../../src/postgres/index.ts'
import { rowsOf, run } from '../drivers/door.ts'
import { createDatabase, type Database } from '../servers/database.ts'
import { pause } from '../servers/pause.ts'
import { startPostgres } from '../servers/postgres.ts'
import { setClocksApart } from './jobs-clocks.ts'
import { cutOffAll, cutOffPastLease } from './jobs-cut-off.ts'
import { killAgainAndAgain } from './jobs-killed.ts'
import { cutListeners } from './jobs-listeners.ts'
import { ends, makePoison, poisonThree } from './jobs-poisons.ts'
import { cutPower } from './jobs-power-cuts.ts'
import { began, elsewhere, killingLimits, many, startWorker, waits, type WorkerProcess } from './jobs-worker-process.ts'
import { lease } from './jobs-worker-talk.ts'

const limits = { timeout: 120_000 }

const known = ['work', 'held', 'heeding', 'blocks', 'kills', 'exits', 'dies'].map(elsewhere)
const [work, held, heeding, blocks, kills, exits, dies] = known

/** Somebody who enqueues, and does not work. */
interface Office {
  readonly postgres: Postgres
  readonly jobs: Jobs
  count(table: 'runs' | 'effects'): Promise<number>
  counts(): Promise<Readonly<Record<string, number>>>
}

async function openOffice(url: string): Promise<Office> {
  const postgres = await openPostgres({ url })
  onTestFinished(() => postgres.close())
  const engine = await databaseEngine({ postgres, lease })
  const jobs = openJobs({ postgres, engine, jobs: known })
  onTestFinished(() => jobs.close())
  return {
    postgres,
    jobs,
    count: async (table) => Number((await rowsOf(postgres, `select count(*) from ${table}`))[0]![0]),
    counts: async () => Object.fromEntries((await jobs.counts()).map(({ state, count }) => [state, count])),
  }
}

async function makeTables(url: string): Promise<void> {
  await using door = await openPostgres({ url })
  await run(door, 'create table runs (key text not null, pid int not null)')
  await run(door, 'create table effects (key text primary key, pid int not null)')
}

describe.runIf(inject('postgresUrl'))('jobs on PostgreSQL', () => {
  let database: Database
  beforeEach(async () => {
    database = await createDatabase()
    await makeTables(database.url)
    return () => database.drop()
  })

  test(
    'workers that are killed again and again lose nothing, and every effect is there once',
    killingLimits,
    async () => {
      const { jobs, count } = await openOffice(database.url)
      const start = (concurrency: number): Promise<WorkerProcess> => startWorker(database.url, { concurrency })
      await killAgainAndAgain({ jobs, work: work!, count, start })
    },
  )

  test('a worker that was stopped past its lease cannot say what has come of its runs', limits, async () => {
    const office = await openOffice(database.url)
    const first = await startWorker(database.url, { concurrency: 2 })
    const handles = [await office.jobs.enqueue(held!, 1), await office.jobs.enqueue(heeding!, 2)]
    await began(first, 2)
    pause(first.child)
    const second = await startWorker(database.url, { concurrency: 2 })
    await began(second, 2)
    second.order({ type: 'go' })
    for (const handle of handles) expect(await handle.result()).toBe(second.pid)
    const before = await Promise.all(handles.map((handle) => handle.status()))
    first.child.kill('SIGCONT')
    await vi.waitFor(
      () => expect(first.news.filter((one) => one.type === 'aborted')).toMatchObject([{ id: handles[0]!.id }]),
      waits,
    )
    expect(first.news.find((one) => one.type === 'aborted')).toHaveProperty(
      'reason',
      expect.stringContaining('has lost its lease'),
    )
    first.order({ type: 'go' })
    await vi.waitFor(
      () =>
        expect(first.news.filter((one) => one.type === 'ended').toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
          handles.map(({ id }) => ({ type: 'ended', id, outcome: 'lost' })),
        ),
      waits,
    )
    expect(await Promise.all(handles.map((handle) => handle.status()))).toEqual(before)
    expect(before).toMatchObject([
      { deaths: 1, attempts: 1 },
      { deaths: 1, attempts: 1 },
    ])
    // Both are workers again.
    await second.kill()
    const after = await office.jobs.enqueue(work!, { ms: 1 })
    await after.result()
    expect(await rowsOf(office.postgres, 'select pid from effects')).toEqual([[String(first.pid)]])
  })

  test('a worker that was cut off past its lease cannot say what has come of its runs', limits, async () => {
    const { jobs, postgres } = await openOffice(database.url)
    const start = (url: string): Promise<WorkerProcess> => startWorker(url)
    await cutOffPastLease({ jobs, postgres, url: database.url, known: { held: held!, work: work! }, start })
  })

  test('workers that were all cut off past their leases keep what they run', limits, async () => {
    const { jobs, postgres } = await openOffice(database.url)
    const lease = '12s'
    const start = (url: string): Promise<WorkerProcess> => startWorker(url, { concurrency: 1, lease })
    await cutOffAll({ jobs, postgres, url: database.url, held: held!, lease, start })
  })

  test('a job that blocks the event loop for longer than the lease is not run twice', limits, async () => {
    const office = await openOffice(database.url)
    const first = await startWorker(database.url)
    const handle = await office.jobs.enqueue(blocks!, { ms: 5000 })
    await began(first)
    await startWorker(database.url)
    expect(await handle.result()).toBe(first.pid)
    expect(await office.count('runs')).toBe(1)
    expect(await handle.status()).toMatchObject({ deaths: 0, attempts: 1 })
    expect(first.stderr(), 'while it was blocked').toContain('A job blocks the event loop')
  })

  test('a job that ends its process runs again elsewhere', limits, async () => {
    const office = await openOffice(database.url)
    const first = await startWorker(database.url)
    const exited = once(first.child, 'exit')
    const handle = await office.jobs.enqueue(exits!, { pid: first.pid })
    expect((await exited)[0]).toBe(3)
    const second = await startWorker(database.url)
    expect(await handle.result()).toBe(second.pid)
    expect(await handle.status()).toMatchObject({ deaths: 1, attempts: 1 })
  })

  test('a job that kills its workers is put in quarantine, and no job beside it', limits, async () => {
    const office = await openOffice(database.url)
    const poison = await office.jobs.enqueue(kills!, 1, { unique: 'poison' })
    let enqueued = 0
    const more = async (count: number): Promise<void> => {
      await office.jobs.enqueueMany(work!, many(count))
      enqueued += count
    }
    await more(100)
    const over = Promise.withResolvers<void>()
    const end = new AbortController()
    const workers = [0, 1].map(async () => {
      while (!end.signal.aborted) {
        // It may be killed before it has said that it works.
        const worker = await startWorker(database.url).catch(() => undefined)
        if (worker !== undefined) await Promise.race([worker.gone, over.promise])
      }
    })
    await vi.waitFor(
      async () => {
        await more(5)
        expect((await poison.status())!.state).toBe('quarantined')
      },
      { ...waits, interval: 50 },
    )
    await vi.waitFor(async () => expect(await office.counts()).toEqual({ done: enqueued, quarantined: 1 }), waits)
    end.abort()
    over.resolve()
    await Promise.all(workers)
    expect(await office.count('effects')).toBe(enqueued)
    expect(await poison.status()).toMatchObject({ deaths: 3, attempts: 0, error: { name: 'WorkerDied' } })
    expect(await rowsOf(office.postgres, 'select count(*) from runs where key = $1', [poison.id])).toEqual([['3']])
    await expect(poison.result()).rejects.toThrow('3 workers have died')
    expect(await office.jobs.list({ states: ['quarantined'] })).toMatchObject([{ id: poison.id }])
    expect((await office.jobs.enqueue(kills!, 1, { unique: 'poison' })).duplicate, 'it has ended').toBe(false)
  })

  test.each(ends)('a job that ends its worker with its first line (%s) has three runs', limits, async (how) => {
    const { jobs } = await openOffice(database.url)
    const poison = makePoison(how)
    await poisonThree({ poison, handle: await jobs.enqueue(dies!, poison), start: () => startWorker(database.url) })
  })

  test('jobs of a process that dies between commit and announcement are found', limits, async () => {
    const office = await openOffice(database.url)
    await startWorker(database.url)
    const child = fork(fileURLToPath(new URL('./job-enqueuer-that-dies.ts', import.meta.url)), {
      execArgv: [],
      env: { ...process.env, DATABASE_URL: database.url },
    })
    expect((await once(child, 'exit'))[1]).toBe('SIGKILL')
    await vi.waitFor(async () => expect(await office.counts()).toEqual({ done: 2 }), waits)
  })

  test('jobs start when the connection that hears of them is cut, and are heard of again', limits, async () => {
    const { jobs, postgres } = await openOffice(database.url)
    await cutListeners({ jobs, postgres, work: work!, start: () => startWorker(database.url) })
  })

  test('the clocks of processes do not matter', limits, async () => {
    const { jobs, count } = await openOffice(database.url)
    const start = (skewMs: number): Promise<WorkerProcess> => startWorker(database.url, { skewMs })
    await setClocksApart({ jobs, work: work!, count, start })
  })
})

describe.runIf(inject('postgresUrl'))('jobs on a PostgreSQL that goes away', () => {
  let server: NonNullable<Awaited<ReturnType<typeof startPostgres>>>
  beforeAll(async () => {
    server = (await startPostgres())!
  })
  afterAll(() => server.stop())

  test('a restart as after a power cut loses no job that was acknowledged', limits, () =>
    cutPower({
      server,
      open: async (postgres, job) => {
        const engine = await databaseEngine({ postgres, heartbeat: { url: server.url }, lease })
        return openJobs({ postgres, engine, jobs: [job] })
      },
    }),
  )

  test('a worker can be closed while its database is away', limits, async () => {
    const postgres = await openPostgres({ url: server.url })
    onTestFinished(() => postgres.close({ timeout: 0 }))
    const door = Promise.withResolvers<void>()
    const began = Promise.withResolvers<void>()
    const job = defineJob('held-here', { input: z.any() }, () => {
      began.resolve()
      return door.promise
    })
    const engine = await databaseEngine({ postgres, heartbeat: { url: server.url }, lease })
    const jobs = openJobs({ postgres, engine, jobs: [job] })
    await jobs.work()
    const { id } = await jobs.enqueue(job, 1)
    await began.promise
    await server.crash()
    door.resolve()
    await jobs.close({ timeout: '100ms' })
    await server.restart()
    // Another worker finds out by the lease.
    await using again = await openPostgres({ url: server.url })
    const rerun = defineJob('held-here', { input: z.any() }, () => 'again')
    await using later = openJobs({
      postgres: again,
      engine: await databaseEngine({ postgres: again, lease }),
      jobs: [rerun],
    })
    await later.work()
    expect(await later.handle(id).result()).toBe('again')
    // Its claim may have gone with the server: then nobody has died of it.
    expect(await later.handle(id).status()).toMatchObject({ attempts: 1 })
  })
})
