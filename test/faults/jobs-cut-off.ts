import { expect, onTestFinished, vi } from 'vitest'
import type { Job, Jobs } from '../../src/jobs/index.ts'
import type { Postgres } from '../../src/postgres/index.ts'
import { rowsOf } from '../drivers/door.ts'
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
