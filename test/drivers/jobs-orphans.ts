import { expect } from 'vitest'
import { countsOf, eventually, gate, takeOne, type JobsCase, type JobsSetup, type Process } from './jobs.ts'

/** Takes jobs as a worker does that is killed while it runs them; resolves once their leases are over. */
async function killWorker({ queue, endLeases }: JobsSetup, { engine }: Process, count: number): Promise<void> {
  const { consumer, taken } = await takeOne(engine, queue, 20)
  await eventually(async () => {
    expect(taken).toHaveLength(count)
    for (const { id } of taken) expect(await engine.find(id)).toMatchObject({ state: 'active' })
  })
  await consumer.pause()
  await endLeases()
}

/** What becomes of jobs whose worker was killed. */
export const orphanCases: readonly JobsCase[] = [
  {
    name: 'what a killed worker ran begins elsewhere, all of it, however long it runs',
    async run(setup) {
      const door = gate()
      const job = setup.define('job', () => door.pass())
      const [victim, other] = [await setup.open(job), await setup.open(job)]
      const handles = await victim.jobs.enqueueMany(job, Array.from({ length: 20 }).fill(0))
      await killWorker(setup, victim, 20)
      await other.work({ concurrency: 20 })
      await eventually(() => expect(door.arrived).toBe(20))
      door.open()
      for (const handle of handles) {
        await handle.result()
        expect(await handle.status()).toMatchObject({ state: 'done', attempts: 1, deaths: 1 })
      }
    },
  },
  {
    name: 'of jobs that have lost two workers one runs at a time: the third counts for that one alone',
    async run(setup) {
      let running = 0
      let most = 0
      const job = setup.define('job', async () => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 5))
        running--
      })
      const process = await setup.open(job)
      const handles = await process.jobs.enqueueMany(job, [1, 2, 3, 4, 5, 6])
      await killWorker(setup, await setup.open(), 6)
      await killWorker(setup, await setup.open(), 6)
      await killWorker(setup, await setup.open(), 1)
      await process.work({ concurrency: 20 })
      await eventually(async () => expect(await countsOf(process, setup.queue)).toEqual({ done: 5, quarantined: 1 }))
      expect(most).toBe(1)
      const deaths = (await Promise.all(handles.map((handle) => handle.status()))).map((status) => status!.deaths)
      expect(deaths.toSorted()).toEqual([2, 2, 2, 2, 2, 3])
      const [quarantined] = await process.jobs.list({ states: ['quarantined'], queue: setup.queue })
      const failure = process.jobs.handle(quarantined!.id).result()
      const cause = {
        name: 'WorkerDied',
        code: 'PLIMSOLL_JOB_QUARANTINED',
        message: expect.stringContaining('3 workers'),
      }
      await expect(failure).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_FAILED', cause })
    },
  },
]
