import { expect, vi } from 'vitest'
import type { Job, Jobs } from '../../src/jobs/index.ts'
import type { Postgres } from '../../src/postgres/index.ts'
import { rowsOf } from '../drivers/door.ts'
import { waits, type WorkerProcess } from './jobs-worker-process.ts'

/** Who hears of jobs by NOTIFY, and who sees it. */
interface Listeners {
  readonly jobs: Jobs
  readonly postgres: Postgres
  readonly work: Job
  start(): Promise<WorkerProcess>
}

const listeners = `select pid from pg_stat_activity where datname = current_database() and query ilike 'listen%'`

/** Cuts the connections that hear of jobs: jobs start all the same, and are heard of again. */
export async function cutListeners({ jobs, postgres, work, start }: Listeners): Promise<void> {
  await start()
  await vi.waitFor(async () => expect(await rowsOf(postgres, listeners)).not.toEqual([]), waits)
  const before = (await rowsOf(postgres, listeners)).flat()
  for (let i = 0; i < 3; i++) {
    await rowsOf(postgres, `select pg_terminate_backend(pid) from (${listeners}) one`)
    // What asks for an order waits in the tables, whatever else there is.
    await (await jobs.enqueue(work, { ms: 1 }, { priority: 1 })).result()
  }
  await vi.waitFor(async () => {
    const now = (await rowsOf(postgres, listeners)).flat()
    expect(now.length).toBeGreaterThanOrEqual(before.length)
    expect(now.filter((pid) => before.includes(pid))).toEqual([])
  }, waits)
}
