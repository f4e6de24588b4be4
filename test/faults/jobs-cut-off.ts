import { expect, onTestFinished, vi } from 'vitest'
import type { Job, Jobs } from '../../src/jobs/index.ts'
import type { Postgres } from '../../src/postgres/index.ts'
import { rowsOf, run } from '../drivers/door.ts'
import { Wire } from '../servers/wire.ts'
import { began, waits, type WorkerProcess } from './jobs-worker-process.ts'

/** What a worker is cut off from, and who sees it. */
interface CutOff {
  readonly jobs: Jobs
  /** Where the effects are. */
  readonly postgres: Postgres
  /** What holds the leases. */
  readonly url: string
  /** The job that waits for a word, and the one that has an effect. */
  readonly known: { readonly held: Job; readonly work: Job }
  /** Starts a worker that reaches what holds the leases at this URL. */
  start(url: string): Promise<WorkerProcess>
}

/** Cuts a worker off past its lease: what has come of its run, which another one has ended meanwhile, it cannot say; and it works again. */
export async function cutOffPastLease({ jobs, postgres, url, known, start }: CutOff): Promise<void> {
  const wire = new Wire(url)
  await wire.join()
  onTestFinished(() => wire.cut())
  const first = await start(wire.url)
  const handle = await jobs.enqueue(known.held, 1)
  await began(first)
  await wire.cut()
  const second = await start(url)
  await began(second)
  second.order({ type: 'go' })
  expect(await handle.result()).toBe(second.pid)
  const before = await handle.status()
  await second.kill()
  // It has ended while nobody could be told.
  first.order({ type: 'go' })
  await wire.join()
  const ended = { type: 'ended', id: handle.id, outcome: 'lost' }
  await vi.waitFor(() => expect(first.news.filter(({ type }) => type === 'ended')).toEqual([ended]), waits)
  expect(await handle.status()).toEqual(before)
  expect(before).toMatchObject({ state: 'done', attempts: 1, deaths: 1 })
  await (await jobs.enqueue(known.work, { ms: 1 })).result()
  expect(await rowsOf(postgres, 'select pid from effects')).toEqual([[String(first.pid)]])
}

/** What all workers are cut off from at once. */
interface CutOffAll extends Omit<CutOff, 'known'> {
  readonly held: Job
  /** How long those of the workers last: long, so that all of them have the time to come back that they are given. */
  readonly lease: string
}

/** Cuts all workers off past their leases: whoever is the first to be back takes nothing from those that are about to be. */
export async function cutOffAll({ jobs, postgres, url, held, lease, start }: CutOffAll): Promise<void> {
  const wire = new Wire(url)
  await wire.join()
  onTestFinished(() => wire.cut())
  const workers = await Promise.all([1, 2, 3, 4].map(() => start(wire.url)))
  const handles = await jobs.enqueueMany(
    held,
    workers.map(() => 1),
  )
  await Promise.all(workers.map((worker) => began(worker)))
  // For as long as a lease after its start nobody loses one.
  const isUp = `select pg_postmaster_start_time() < clock_timestamp() - $1::interval`
  await vi.waitFor(async () => expect(await rowsOf(postgres, isUp, [lease])).toEqual([['t']]), waits)
  await wire.cut()
  // As when nothing has come through for minutes.
  await run(postgres, `update plimsoll.job_workers set alive_until = clock_timestamp() - interval '1 minute'`)
  await wire.join()
  // One that has ended is taken by whoever looks first: by then somebody has looked for leases that are over.
  await run(postgres, `insert into plimsoll.job_workers (host, pid, alive_until) values ('ended', 1, '-infinity')`)
  const ended = (): Promise<readonly unknown[]> =>
    rowsOf(postgres, `select id from plimsoll.job_workers where host = 'ended'`)
  await vi.waitFor(async () => expect(await ended()).toEqual([]), waits)
  const statuses = await Promise.all(handles.map((handle) => handle.status()))
  expect(statuses).toMatchObject(handles.map(() => ({ state: 'active', attempts: 1, deaths: 0 })))
  for (const worker of workers) worker.order({ type: 'go' })
  for (const handle of handles) {
    await handle.result()
    expect(await handle.status()).toMatchObject({ attempts: 1, deaths: 0 })
  }
  for (const { news } of workers) {
    expect(news.filter(({ type }) => type === 'began')).toHaveLength(1)
    expect(news.filter(({ type }) => type === 'aborted')).toEqual([])
  }
}
