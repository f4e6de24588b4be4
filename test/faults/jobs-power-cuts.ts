import { expect, onTestFinished, vi } from 'vitest'
import { z } from 'zod'
import { defineJob, type Job, type Jobs } from '../../src/jobs/index.ts'
import { createStatement, openPostgres, type Postgres } from '../../src/postgres/index.ts'
import { rowsOf, run } from '../drivers/door.ts'
import type { PostgresServer } from '../servers/postgres.ts'
import { waits } from './jobs-worker-process.ts'

/** A database that goes away, and the jobs that are on it, or beside it. */
interface PowerCuts {
  readonly server: Pick<PostgresServer, 'url' | 'crash' | 'restart'>
  /** Opens the jobs of this process. */
  open(postgres: Postgres, job: Job): Promise<Jobs>
}

/**
 * Restarts a database as after a power cut, while jobs are enqueued, directly and in transactions, and run: whatever was acknowledged has
 * its effect, and what a transaction was to enqueue has it if that has committed, and only then.
 */
export async function cutPower({ server, open }: PowerCuts): Promise<void> {
  const postgres = await openPostgres({ url: server.url })
  onTestFinished(() => postgres.close())
  await run(postgres, 'create table effects (key text primary key, ordered boolean not null)')
  await run(postgres, 'create table orders (key text primary key)')
  const effect = createStatement('insert into effects values ($1, $2) on conflict do nothing', { tracked: true })
  const order = createStatement('insert into orders values ($1)', { tracked: true })
  const job = defineJob(
    'counted',
    { input: z.boolean(), retry: { attempts: 1000, first: '10ms', most: '50ms' } },
    async (ordered, { id }) => {
      await postgres.execute(effect, [id, ordered])
    },
  )
  const jobs = await open(postgres, job as Job)
  onTestFinished(() => jobs.close())
  await jobs.work({ concurrency: 20 })
  const acknowledged: string[] = []
  let refused = 0
  const end = new AbortController()
  const enqueuing = [0, 1, 2, 3].map(async () => {
    while (!end.signal.aborted) {
      try {
        const ordered = await postgres.transaction(async () => {
          const handles = await jobs.enqueueMany(job, [true, true])
          for (const { id } of handles) await postgres.execute(order, [id])
          return handles
        })
        acknowledged.push(...ordered.map(({ id }) => id))
        for (const { id } of await jobs.enqueueMany(job, [false, false])) acknowledged.push(id)
      } catch {
        refused++
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  })
  const more = async (): Promise<void> => {
    const before = acknowledged.length
    await vi.waitFor(() => expect(acknowledged.length).toBeGreaterThan(before + 200), waits)
  }
  for (let round = 0; round < 2; round++) {
    await more()
    const before = refused
    await server.crash()
    await vi.waitFor(() => expect(refused).toBeGreaterThan(before), waits)
    await server.restart()
  }
  await more()
  end.abort()
  await Promise.all(enqueuing)
  await vi.waitFor(async () => {
    // Also what has committed while nobody could be told.
    const due = [...acknowledged, ...(await rowsOf(postgres, 'select key from orders')).map(([key]) => key!)]
    const effects = new Set((await rowsOf(postgres, 'select key from effects')).map(([key]) => key))
    expect(due.filter((id) => !effects.has(id))).toEqual([])
    // What nobody was told of may be there too, and wait.
    const undone = new Set(
      (await jobs.list({ states: ['waiting', 'delayed', 'active', 'failed'] })).map(({ id }) => id),
    )
    expect(due.filter((id) => undone.has(id))).toEqual([])
  }, waits)
  const uncommitted = 'select key from effects where ordered and key not in (select key from orders)'
  expect(await rowsOf(postgres, uncommitted)).toEqual([])
}
