import { expect, vi } from 'vitest'
import type { Job, Jobs } from '../../src/jobs/index.ts'
import { jobsToKillOver, mostDeaths, waits, type WorkerProcess } from './jobs-worker-process.ts'

/** Workers that are killed, and who sees it. */
interface Killing {
  readonly jobs: Jobs
  /** The job that has a run and an effect. */
  readonly work: Job
  count(table: 'runs' | 'effects'): Promise<number>
  /** Starts a worker that runs so many at a time. */
  start(concurrency: number): Promise<WorkerProcess>
  /** How long a job takes. Default 20 ms. */
  msOf?(index: number): number
  /** How many runs a death may cut short, for each that a worker has at a time. Default 1. */
  readonly lostPerRun?: number
}

/** Kills workers at any moment of what their jobs are doing: nothing is lost, and every effect is there once. */
export async function killAgainAndAgain(killing: Killing): Promise<void> {
  const { jobs, work, count, start, msOf = () => 20, lostPerRun = 1 } = killing
  const concurrency = 10
  await jobs.enqueueMany(
    work,
    Array.from({ length: jobsToKillOver }, (_, i) => ({ ms: msOf(i) })),
  )
  const workers = await Promise.all([start(concurrency), start(concurrency)])
  let threshold = 0
  for (let deaths = 0; deaths < mostDeaths; deaths++) {
    // On the whole while there are some.
    threshold += 20 + Math.floor(Math.random() * 60)
    await vi.waitFor(async () => expect(await count('effects')).toBeGreaterThanOrEqual(threshold), waits)
    const victim = workers[deaths % 2]!
    await victim.kill()
    workers[deaths % 2] = await start(concurrency)
  }
  await vi.waitFor(async () => {
    // Who has died three times of others is no poison, and can be had back.
    await jobs.redrive({ states: ['quarantined'] })
    const counts = (await jobs.counts()).map(({ state, count: number }) => [state, number])
    expect(Object.fromEntries(counts)).toEqual({ done: jobsToKillOver })
  }, waits)
  expect(await count('effects')).toBe(jobsToKillOver)
  const runs = await count('runs')
  expect(runs).toBeGreaterThan(jobsToKillOver)
  expect(runs, 'runs that a death has cut short').toBeLessThanOrEqual(
    jobsToKillOver + mostDeaths * lostPerRun * concurrency,
  )
}
