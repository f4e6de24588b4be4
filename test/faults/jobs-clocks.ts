import { expect, vi } from 'vitest'
import type { Job, Jobs } from '../../src/jobs/index.ts'
import { many, waits, type WorkerProcess } from './jobs-worker-process.ts'

/** Workers whose clocks are off, and who sees it. */
interface Clocks {
  readonly jobs: Jobs
  /** The job that has a run and an effect. */
  readonly work: Job
  count(table: 'runs' | 'effects'): Promise<number>
  /** Starts a worker whose clock is off by so much. */
  start(skewMs: number): Promise<WorkerProcess>
}

/** Sets the clocks of two workers apart: what they enqueue for later begins when it is due, and neither takes the lease of the other. */
export async function setClocksApart({ jobs, work, count, start }: Clocks): Promise<void> {
  const minutes = 10 * 60_000
  const workers = await Promise.all([start(-minutes), start(minutes)])
  const at = Date.now() + 400
  const enqueued: string[] = []
  for (const worker of workers) {
    worker.order({ type: 'enqueue' })
    worker.order({ type: 'enqueue', at })
    const ids = (): string[] => worker.news.flatMap((one) => (one.type === 'enqueued' ? [one.id] : []))
    await vi.waitFor(() => expect(ids()).toHaveLength(2), waits)
    enqueued.push(...ids())
  }
  await jobs.enqueueMany(work, many(200))
  await vi.waitFor(async () => {
    const counts = await jobs.counts()
    expect(Object.fromEntries(counts.map(({ state, count: number }) => [state, number]))).toEqual({ done: 204 })
  }, waits)
  const statuses = await Promise.all(enqueued.map(async (id) => (await jobs.handle(id).status())!))
  for (const { createdAt, startedAt } of statuses) {
    expect(startedAt! - createdAt).toBeGreaterThanOrEqual(0)
    expect(startedAt! - createdAt).toBeLessThan(minutes / 2)
  }
  const dated = statuses.filter(({ startedAt }) => startedAt! >= at)
  expect(dated.length, 'those of a moment did not begin before it').toBeGreaterThanOrEqual(2)
  expect(await count('runs'), 'nobody took the lease of another').toBe(204)
}
