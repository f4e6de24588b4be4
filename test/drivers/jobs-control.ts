// Over 400 lines: one case after another, none of which needs to know of the others.
import { expect } from 'vitest'
import { observe } from '../../src/core/events.ts'
import { jobId } from '../../src/jobs/job-id.ts'
import { countsOf, drained, eventually, failureOf, gate, takeOne, untilAborted, type JobsCase } from './jobs.ts'

/** What is done with jobs and workers by hand. */
export const controlCases: readonly JobsCase[] = [
  {
    name: 'dead letters are listed with what they failed of, the newest first, page by page',
    async run({ queue, define, open }) {
      const fails = define('fails', (input) => Promise.reject(new Error(`of ${input}`)), { retry: false })
      const other = define('other', () => Promise.reject(new Error('other')), { retry: false })
      const process = await open(fails, other)
      await process.work()
      const handles = [
        ...(await process.jobs.enqueueMany(fails, [1, 2, 3], { tenant: 'a' })),
        await process.jobs.enqueue(other, 4, { tenant: 'b' }),
      ]
      for (const handle of handles) await failureOf(handle.result())
      const ids = handles.map(({ id }) => id).toReversed()
      const list = await process.jobs.list({ queue })
      expect(list.map(({ id }) => id)).toEqual(ids)
      expect(list[1]).toMatchObject({ name: fails.name, tenant: 'a', state: 'failed', attempts: 1, input: 3 })
      expect(list[1]!.error).toMatchObject({ name: 'Error', message: 'of 3' })
      expect(list[1]!.error!.stack).toContain('jobs-control.ts')
      const first = await process.jobs.list({ queue }, { size: 3 })
      const second = await process.jobs.list({ queue }, { size: 3, after: first.at(-1)!.id })
      expect([...first, ...second].map(({ id }) => id)).toEqual(ids)
      expect((await process.jobs.list({ queue, names: [other.name] })).map(({ input }) => input)).toEqual([4])
      expect((await process.jobs.list({ queue, tenant: 'a' })).map(({ input }) => input)).toEqual([3, 2, 1])
      expect(await process.jobs.list({ queue, states: ['parked'] })).toEqual([])
      expect((await process.jobs.list({ ids: [ids[0]!] })).map(({ input }) => input)).toEqual([4])
    },
  },
  {
    name: 'dead letters are redriven: one, those of a filter, or all; with all their attempts',
    async run({ queue, define, open }) {
      let broken = true
      const attempts: number[] = []
      const job = define(
        'job',
        (input, { attempt, progress }) => {
          attempts.push(attempt)
          if (broken) progress(1, 2)
          if (broken) throw new Error('no')
          return input
        },
        { retry: { attempts: 2, first: '1ms' } },
      )
      const process = await open(job)
      await process.work()
      const handles = [
        ...(await process.jobs.enqueueMany(job, [1, 2, 3], { tenant: 'a' })),
        ...(await process.jobs.enqueueMany(job, [4, 5], { tenant: 'b' })),
      ]
      for (const handle of handles) await failureOf(handle.result())
      broken = false
      expect(await process.jobs.redrive({ ids: [handles[0]!.id] })).toBe(1)
      expect(await handles[0]!.result()).toBe(1)
      const fresh = { state: 'done', attempts: 1, error: undefined, progress: undefined }
      expect(await handles[0]!.status()).toMatchObject(fresh)
      expect(await process.jobs.redrive({ queue, tenant: 'b' })).toBe(2)
      expect(await Promise.all(handles.slice(3).map((handle) => handle.result()))).toEqual([4, 5])
      expect(await process.jobs.redrive({ queue })).toBe(2)
      expect(await Promise.all(handles.slice(1, 3).map((handle) => handle.result()))).toEqual([2, 3])
      expect(await process.jobs.redrive({ queue })).toBe(0)
      expect(attempts).toHaveLength(10 + 5)
    },
  },
  {
    name: 'cancelled jobs can be redriven, and those that run, wait or are done cannot',
    async run({ queue, define, open }) {
      const door = gate()
      const job = define('job', (input) => (input === 'held' ? door.pass() : input))
      const process = await open(job)
      const [held, done] = await process.jobs.enqueueMany(job, ['held', 'done'])
      const delayed = await process.jobs.enqueue(job, 'delayed', { delay: '1h' })
      const cancelled = await process.jobs.enqueue(job, 'cancelled', { delay: '1h' })
      expect(await cancelled.cancel()).toBe(true)
      await process.work({ concurrency: 2 })
      await done!.result()
      await eventually(() => expect(door.arrived).toBe(1))
      const states = ['active', 'waiting', 'delayed', 'done', 'cancelled'] as const
      expect(await process.jobs.redrive({ queue, states })).toBe(1)
      expect(await cancelled.result()).toBe('cancelled')
      expect((await delayed.status())!.state).toBe('delayed')
      expect((await held!.status())!.state).toBe('active')
      door.open()
      await held!.result()
      expect(door.arrived).toBe(1)
    },
  },
  {
    name: 'jobs that wait are cancelled, and never run',
    async run({ queue, define, open }) {
      const ran: unknown[] = []
      const job = define('job', (input) => void ran.push(input))
      const [one, two] = [await open(job), await open(job)]
      const waiting = await one.jobs.enqueueMany(job, [1, 2])
      const delayed = await one.jobs.enqueue(job, 3, { delay: '1h' })
      expect(await waiting[0]!.cancel()).toBe(true)
      expect(await two.jobs.cancel(waiting[1]!.id, delayed.id, '018f0000-0000-7000-8000-000000000000')).toBe(2)
      expect(await waiting[0]!.cancel(), 'it has ended').toBe(false)
      const failure = await failureOf(waiting[0]!.result())
      expect(failure).toMatchObject({ code: 'PLIMSOLL_JOB_CANCELLED', details: { state: 'cancelled' } })
      await two.work()
      await drained(two, job)
      expect(ran).toEqual(['the last one'])
      expect(await countsOf(one, queue)).toEqual({ cancelled: 3, done: 1 })
    },
  },
  {
    name: 'a job that runs is cancelled from another process: its signal aborts',
    async run({ define, open }) {
      const began = gate()
      const reasons: unknown[] = []
      const job = define('job', async (_, { signal }) => {
        void began.pass()
        await untilAborted(signal).catch((reason) => {
          reasons.push(reason.code)
          throw reason
        })
      })
      const [one, two] = [await open(job), await open(job)]
      await one.work()
      const handle = await one.jobs.enqueue(job, 1)
      await eventually(() => expect(began.arrived).toBe(1))
      expect(await two.jobs.cancel(handle.id)).toBe(1)
      expect(await failureOf(two.jobs.handle(handle.id).result())).toMatchObject({ details: { state: 'cancelled' } })
      expect(reasons).toEqual(['PLIMSOLL_JOB_CANCELLED'])
      expect(await handle.cancel(), 'it has ended').toBe(false)
    },
  },
  {
    name: 'a job that fails just as it is cancelled is not tried again',
    async run({ define, open }) {
      const door = gate()
      const runs = new Map<string, number>()
      const job = define('job', async (_, { id, attempt, signal }) => {
        runs.set(id, (runs.get(id) ?? 0) + 1)
        // It failed before it was cancelled, and is cancelled now.
        if (attempt > 1) return untilAborted(signal)
        await door.pass()
        throw new Error('no')
      })
      const [one, two] = [await open(job), await open(job)]
      await one.work({ concurrency: 20 })
      const handles = await one.jobs.enqueueMany(job, Array.from({ length: 20 }).fill(0))
      await eventually(() => expect(door.arrived).toBe(20))
      const cancelled = two.jobs.cancel(...handles.map(({ id }) => id))
      door.open()
      expect(await cancelled).toBe(20)
      for (const handle of handles) {
        await failureOf(handle.result())
        expect((await handle.status())!.state).toBe('cancelled')
      }
      expect(Math.max(...runs.values())).toBeLessThanOrEqual(2)
    },
  },
  {
    name: 'cancelling in a transaction that is rolled back cancels nothing',
    needs: ['statements'],
    async run({ define, open }) {
      const job = define('job', (input) => input)
      const process = await open(job)
      const handle = await process.jobs.enqueue(job, 1, { delay: '1h' })
      await process.postgres
        .transaction(async () => {
          expect(await handle.cancel()).toBe(true)
          throw new Error('no')
        })
        .catch(() => {})
      expect((await handle.status())!.state).toBe('delayed')
    },
  },
  {
    name: 'a worker that is closed takes no more, and finishes what it runs',
    async run({ queue, define, open }) {
      const door = gate()
      const job = define('job', () => door.pass())
      const process = await open(job)
      await process.jobs.enqueueMany(job, [1, 2, 3, 4, 5])
      const worker = await process.work({ concurrency: 2 })
      await eventually(() => expect(door.arrived).toBe(2))
      const closed = worker.close({ timeout: '1h' })
      door.open()
      await closed
      expect(await countsOf(process, queue)).toEqual({ done: 2, waiting: 3 })
      expect(door.arrived).toBe(2)
    },
  },
  {
    name: 'what does not end in time is handed back, which is no attempt',
    waits: true,
    async run({ define, open }) {
      const began = gate()
      const codes: unknown[] = []
      let held = true
      const job = define('job', async (input, { attempt, signal }) => {
        void began.pass()
        if (!held) return [input, attempt]
        // One heeds its signal, the other does not.
        await (input === 'deaf'
          ? new Promise(() => {})
          : untilAborted(signal).catch((reason) => {
              codes.push(reason.code)
              throw reason
            }))
      })
      const [one, two] = [await open(job), await open(job)]
      const handles = await one.jobs.enqueueMany(job, ['deaf', 'heeds'])
      const worker = await one.work()
      await eventually(() => expect(began.arrived).toBe(2))
      await worker.close({ timeout: 0 })
      expect(codes).toEqual(['PLIMSOLL_JOB_CANCELLED'])
      for (const handle of handles) expect(await handle.status()).toMatchObject({ state: 'waiting', attempts: 0 })
      held = false
      await two.work()
      expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual([
        ['deaf', 1],
        ['heeds', 1],
      ])
      expect((await handles[0]!.status())!.deaths).toBe(0)
    },
  },
  {
    name: 'who waits for a job or a workflow, or comes later, is told when the jobs are closed, and the job is left as it is',
    async run({ define, open }) {
      const job = define('job', (input) => input)
      const [one, two] = [await open(job), await open(job)]
      const handle = await one.jobs.enqueue(job, 1, { delay: '1h' })
      const flow = await one.jobs.start(job.step(2))
      const statuses = handle.watch()[Symbol.asyncIterator]()
      expect((await statuses.next()).value).toMatchObject({ state: 'delayed' })
      const waiting = [handle.result(), handle.result({ timeout: '1m' }), flow.result(), statuses.next()].map(failureOf)
      await one.jobs.close()
      const late = failureOf(one.jobs.enqueue(job, 3))
      for (const failure of await Promise.all([...waiting, late])) expect(failure.code).toBe('PLIMSOLL_JOBS_CLOSED')
      expect((await two.jobs.handle(handle.id).status())!.state).toBe('delayed')
    },
  },
  {
    name: 'a worker that is closed while it takes jobs leaves none behind',
    async run({ queue, define, open }) {
      let runs = 0
      const job = define('job', () => void runs++)
      const process = await open(job)
      await process.jobs.enqueueMany(job, Array.from({ length: 400 }).fill(0))
      // At other moments each time; how far it gets does not matter.
      for (let round = 0; round < 8; round++) {
        const worker = await process.work({ concurrency: 10 })
        for (let turn = 0; turn < round; turn++) await new Promise((resolve) => setImmediate(resolve))
        await worker.close()
        expect(await countsOf(process, queue)).not.toHaveProperty('active')
      }
      await process.work({ concurrency: 50 })
      await eventually(async () => expect(await countsOf(process, queue)).toEqual({ done: 400 }))
      expect(runs).toBe(400)
    },
  },
  {
    name: 'jobs that are closed while a worker of theirs opens run nothing afterwards',
    async run({ queue, define, open }) {
      const job = define('job', () => {})
      const other = await open(job)
      for (let turns = 0; turns < 4; turns++) {
        const process = await open(job)
        const working = process.work()
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
        await Promise.all([working, process.jobs.close()])
      }
      const handle = await other.jobs.enqueue(job, 1)
      const [own, marker] = [await open(job), define('marker', () => {}, { queue: `${queue}-else` })]
      const elsewhere = await open(marker)
      await elsewhere.work({ queues: [`${queue}-else`] })
      await (await elsewhere.jobs.enqueue(marker, 1)).result()
      expect((await handle.status())!.state).toBe('waiting')
      await own.work()
      await handle.result()
    },
  },
  {
    name: 'a handler that computes hands the loop back by heartbeat, which rejects once its run is to end',
    async run({ define, open }) {
      let steps = 0
      const job = define('job', async (_, { heartbeat }) => {
        for (;;) {
          steps++
          await heartbeat()
        }
      })
      const [one, two] = [await open(job), await open(job)]
      await one.work()
      const handle = await one.jobs.enqueue(job, 1)
      await eventually(() => expect(steps).toBeGreaterThan(10))
      expect(await two.jobs.cancel(handle.id)).toBe(1)
      expect(await failureOf(handle.result())).toMatchObject({ details: { state: 'cancelled' } })
      const ended = steps
      await (await one.jobs.enqueue(job, 2, { delay: '1h' })).cancel()
      expect(steps).toBe(ended)
    },
  },
  {
    name: 'whose a job is, the trace it was enqueued in and the step that it is reach its run',
    async run({ queue, define, open }) {
      const job = define('job', () => {})
      const process = await open(job)
      const owner = 'user-7'
      const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
      const step = '018f0000-0000-7000-8000-000000000001:0'
      const none = { unique: undefined, limit: undefined }
      await process.engine.add([
        {
          id: jobId(),
          name: job.name,
          version: 7,
          queue,
          priority: 0,
          tenant: 'acme',
          input: '1',
          delayMs: 0,
          ...none,
          owner,
          trace,
          step,
        },
      ])
      const { consumer, leased } = await takeOne(process.engine, queue)
      expect(leased).toMatchObject({ version: 7, tenant: 'acme', owner, trace, step })
      await consumer.settle(leased, { state: 'done', output: undefined, keepMs: 1 })
      await consumer.close()
    },
  },
  {
    name: 'a run can be settled once',
    async run({ queue, define, open }) {
      const job = define('job', () => {})
      const process = await open(job)
      await process.jobs.enqueue(job, 1)
      const { consumer, leased } = await takeOne(process.engine, queue)
      expect(leased).toMatchObject({ name: job.name, attempt: 1, deaths: 0, input: '1' })
      expect(await consumer.settle(leased, { state: 'done', output: '2', keepMs: 1000 })).toBe(true)
      expect(await consumer.settle(leased, { state: 'retry', delayMs: 0, error: { name: 'E', message: '' } })).toBe(
        false,
      )
      expect(await process.engine.find(leased.id)).toMatchObject({ state: 'done', output: '2' })
      await consumer.close()
    },
  },
  {
    name: 'a worker hears of what another process enqueues, without looking for it',
    needs: ['statements'],
    async run({ define, open }) {
      const job = define('job', (input) => input)
      const [one, two] = [await open(job), await open(job)]
      await one.work()
      let looks = 0
      const stop = observe((event) => {
        if (event.type === 'statement' && event.text.startsWith('with recursive known')) looks++
      })
      for (let i = 0; i < 20; i++) expect(await (await two.jobs.enqueue(job, i)).result()).toBe(i)
      stop()
      // The worker looks every few seconds anyway; a machine that is busy may have taken that long.
      expect(looks).toBeLessThan(15)
    },
  },
  {
    name: 'jobs are counted by queue and state',
    async run({ queue, define, open }) {
      const job = define('job', () => Promise.reject(new Error('no')), { retry: false })
      const done = define('done', () => {})
      const process = await open(job, done)
      const [first] = await process.jobs.enqueueMany(job, [1, 2, 3])
      await process.jobs.enqueue(job, 4, { delay: '1h' })
      await process.jobs.enqueue(job, 5, { queue: `${queue}-else` })
      await first!.cancel()
      expect(await countsOf(process, queue)).toEqual({ waiting: 2, delayed: 1, cancelled: 1 })
      expect(await countsOf(process, `${queue}-else`)).toEqual({ waiting: 1 })
      await process.work()
      await eventually(async () => expect(await countsOf(process, queue)).toMatchObject({ failed: 2, delayed: 1 }))
      await (await process.jobs.enqueue(done, 1)).result()
      expect(await countsOf(process, queue)).toEqual({ failed: 2, delayed: 1, cancelled: 1, done: 1 })
      const depths = (await process.jobs.depths()).filter((one) => one.queue === queue)
      expect(
        Object.fromEntries(depths.map(({ state, count }) => [state, count])),
        'what has not ended, or is stuck',
      ).toEqual({ failed: 2, delayed: 1 })
    },
  },
  {
    name: 'what is no id is that of no job, and one in capitals is the same',
    async run({ define, open }) {
      const job = define('job', (input) => input)
      const { jobs } = await open(job)
      const handle = jobs.handle('no id')
      expect(await handle.status()).toBeUndefined()
      expect(await handle.cancel()).toBe(false)
      expect((await failureOf(handle.result())).code).toBe('PLIMSOLL_JOB_UNKNOWN')
      for await (const status of handle.watch()) expect.fail(status.id)
      expect(await jobs.list({ ids: ['no id'] })).toEqual([])
      expect(await jobs.redrive({ ids: ['no id'] })).toBe(0)
      const { id } = await jobs.enqueue(job, 1)
      expect(await jobs.handle(id.toUpperCase()).status()).toMatchObject({ id, input: 1 })
      expect(await jobs.cancel('no id', id.toUpperCase())).toBe(1)
    },
  },
]
