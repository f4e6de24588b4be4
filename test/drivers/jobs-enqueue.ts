// Over 400 lines: one case after another, none of which needs to know of the others.
import { expect, onTestFinished, vi } from 'vitest'
import { z } from 'zod'
import { observe } from '../../src/core/events.ts'
import type { Job, JobHandle } from '../../src/jobs/index.ts'
import { countsOf, drained, eventually, failureOf, gate, untilAborted, type JobsCase } from './jobs.ts'

/** How many jobs a big tenant has; TENANT_JOBS=100000 takes half a minute. */
const manyJobs = Number(process.env['TENANT_JOBS'] ?? 3000)

/** What is enqueued, and what is not. */
export const enqueueCases: readonly JobsCase[] = [
  {
    name: 'a job of a transaction runs when that has committed',
    async run({ define, open }) {
      const steps: string[] = []
      const job = define('job', () => void steps.push('ran'))
      const process = await open(job)
      await process.work()
      const handle = await process.postgres.transaction(async () => {
        const enqueued = await process.jobs.enqueue(job, 1)
        steps.push('committing')
        return enqueued
      })
      await handle.result()
      expect(steps).toEqual(['committing', 'ran'])
    },
  },
  {
    name: 'a result is not waited for inside a transaction, whose commit it may depend on',
    async run({ define, open }) {
      const job = define('job', () => 'done')
      const process = await open(job)
      await process.work()
      const handle = await process.postgres.transaction(async () => {
        const enqueued = await process.jobs.enqueue(job, 1)
        expect((await failureOf(enqueued.result())).code).toBe('PLIMSOLL_JOB_IN_TRANSACTION')
        return enqueued
      })
      expect(await handle.result()).toBe('done')
    },
  },
  {
    name: 'a transaction that is rolled back enqueues nothing',
    async run({ define, open }) {
      const ran: unknown[] = []
      const job = define('job', (input) => void ran.push(input))
      const process = await open(job)
      await process.work()
      const ids: string[] = []
      await expect(
        process.postgres.transaction(async () => {
          ids.push((await process.jobs.enqueue(job, 'one')).id)
          for (const { id } of await process.jobs.enqueueMany(job, ['two', 'three'])) ids.push(id)
          throw new Error('no')
        }),
      ).rejects.toThrow('no')
      await drained(process, job)
      expect(ran).toEqual(['the last one'])
      expect(ids).toHaveLength(3)
      for (const id of ids) expect(await process.jobs.handle(id).status()).toBeUndefined()
    },
  },
  {
    name: 'a savepoint that is rolled back takes its jobs with it, and no others',
    async run({ define, open }) {
      const ran: unknown[] = []
      const job = define('job', (input) => void ran.push(input))
      const process = await open(job)
      await process.work()
      await process.postgres.transaction(async (transaction) => {
        await process.jobs.enqueue(job, 'before')
        await transaction
          .transaction(async () => {
            await process.jobs.enqueue(job, 'within')
            throw new Error('no')
          })
          .catch(() => {})
        await transaction.transaction(async () => process.jobs.enqueue(job, 'kept'))
        await process.jobs.enqueue(job, 'after')
      })
      await drained(process, job)
      expect(ran).toEqual(['before', 'kept', 'after', 'the last one'])
    },
  },
  {
    name: 'jobs that several callers enqueue in one tick, inside and outside of a transaction, share no fate',
    async run({ define, open }) {
      const ran: unknown[] = []
      const job = define('job', (input) => void ran.push(input))
      const process = await open(job)
      await process.work()
      // The embedded database runs one after the other; on a server they overlap.
      await Promise.all([
        process.postgres
          .transaction(async () => {
            await process.jobs.enqueue(job, 'rolled back')
            throw new Error('no')
          })
          .catch(() => {}),
        process.jobs.enqueue(job, 'on its own'),
        process.postgres.transaction(async () => process.jobs.enqueue(job, 'committed')),
      ])
      await drained(process, job)
      expect(ran.toSorted()).toEqual(['committed', 'on its own', 'the last one'])
    },
  },
  {
    name: 'an input that does not fit is refused, and nothing is stored',
    async run({ queue, define, open }) {
      const job = define('job', () => {}, { input: z.object({ id: z.number() }) })
      const process = await open(job)
      const { code, message } = await failureOf(process.jobs.enqueue(job, { id: 'seven' }))
      expect(code).toBe('PLIMSOLL_JOB_INPUT_INVALID')
      expect(message).toContain('id: ')
      expect((await failureOf(process.jobs.enqueueMany(job, [{ id: 1 }, { id: 'two' }, { id: 3 }]))).code).toBe(code)
      const itself: { self?: unknown } = {}
      itself.self = itself
      for (const input of [1n, itself, () => {}, Symbol('no')])
        expect((await failureOf(process.jobs.enqueue(job, input))).code).toBe(code)
      expect(await countsOf(process, queue)).toEqual({})
    },
  },
  {
    name: 'an input of 1 MiB is kept whole, and one byte more is refused',
    async run({ define, open }) {
      const job = define('job', (input: string) => input.length)
      const process = await open(job)
      await process.work()
      const most = 1024 * 1024 - 2
      expect(await (await process.jobs.enqueue(job, 'x'.repeat(most))).result()).toBe(most)
      const { code, message } = await failureOf(process.jobs.enqueue(job, 'x'.repeat(most + 1)))
      expect(code).toBe('PLIMSOLL_JOB_INPUT_INVALID')
      expect(message).toContain('1048577 bytes')
      expect((await failureOf(process.jobs.enqueue(job, 'x'.repeat(10 * most)))).code).toBe(code)
    },
  },
  {
    name: 'any text of an input comes back as it was',
    async run({ define, open }) {
      const job = define('job', (input) => input)
      const process = await open(job)
      await process.work()
      const input = {
        'a\u0000b': ['\u0000', '"\\', '\ud800', '😀', '\u2028', '{},{NULL}'],
        n: [1e21, -0.5, null, true],
      }
      expect(await (await process.jobs.enqueue(job, input)).result()).toEqual(input)
    },
  },
  {
    name: 'a tenant that no database can hold is refused, and does not take others of its tick with it',
    async run({ define, open }) {
      const job = define('job', (input) => input)
      const process = await open(job)
      await process.work()
      const [one, two, three] = await Promise.allSettled([
        process.jobs.enqueue(job, 1),
        process.jobs.enqueue(job, 2, { tenant: 'a\u0000' }),
        process.jobs.enqueue(job, 3, { unique: 'k\u0000\ud800' }),
      ])
      expect(two).toMatchObject({ status: 'rejected', reason: { code: 'PLIMSOLL_OPTION_INVALID' } })
      if (one.status === 'rejected' || three.status === 'rejected') throw new Error('They were refused.')
      expect([await one.value.result(), await three.value.result()]).toEqual([1, 3])
    },
  },
  {
    name: 'what is enqueued in one tick is stored by one statement, in a transaction too',
    needs: ['statements'],
    async run({ define, open }) {
      const job = define('job', () => {})
      const process = await open(job)
      const stored: string[] = []
      const stop = observe((event) => {
        if (event.type === 'statement' && event.text.includes('insert into plimsoll.jobs')) stored.push(event.text)
      })
      const many = Array.from({ length: 200 }, (_, i) => i)
      const handles = await Promise.all(many.map((i) => process.jobs.enqueue(job, i)))
      expect(new Set(handles.map(({ id }) => id)).size).toBe(200)
      expect(stored).toHaveLength(1)
      await process.postgres.transaction(() => Promise.all(many.map((i) => process.jobs.enqueue(job, i))))
      expect(stored).toHaveLength(2)
      stop()
    },
  },
  {
    name: 'what is enqueued in one tick is handed to the engine together',
    async run({ define, open }) {
      const job = define('job', (input) => input)
      const process = await open(job)
      const add = vi.spyOn(process.engine, 'add')
      onTestFinished(() => add.mockRestore())
      const handles = await Promise.all(Array.from({ length: 100 }, (_, i) => process.jobs.enqueue(job, i)))
      expect(add.mock.calls.map(([jobs]) => jobs.length)).toEqual([100])
      await process.work()
      expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(handles.map((_, i) => i))
    },
  },
  {
    name: 'a second add of the same id stores nothing',
    async run({ queue, define, open }) {
      let runs = 0
      const job = define('job', () => ++runs)
      const process = await open(job)
      const { id } = await process.jobs.enqueue(job, 1)
      const again = {
        id,
        name: job.name,
        version: 1,
        queue,
        priority: 0,
        tenant: '',
        input: '2',
        delayMs: 0,
        unique: undefined,
        limit: undefined,
        owner: undefined,
        trace: undefined,
        step: undefined,
      }
      expect(await process.engine.add([again, again])).toEqual([
        { id, duplicate: true },
        { id, duplicate: true },
      ])
      expect(await countsOf(process, queue)).toEqual({ waiting: 1 })
      await process.work()
      expect(await process.jobs.handle(id).result()).toBe(1)
      await drained(process, job)
      expect(runs).toBe(2)
    },
  },
  {
    name: 'a delayed job does not run before its time',
    async run({ define, open }) {
      const job = define('job', (input) => input)
      const process = await open(job)
      await process.work()
      const at = new Date(Date.now() + 300)
      const handles = [
        await process.jobs.enqueue(job, 'delay', { delay: '300ms' }),
        await process.jobs.enqueue(job, 'at', { at }),
      ]
      const first = (await handles[0]!.status())!
      if (first.state === 'delayed') expect(first.dueAt! - first.createdAt).toBeGreaterThan(299.9)
      expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(['delay', 'at'])
      const [delayed, dated] = await Promise.all(handles.map(async (handle) => (await handle.status())!))
      expect(delayed!.startedAt! - delayed!.createdAt).toBeGreaterThan(299.9)
      expect(dated!.startedAt! - at.getTime()).toBeGreaterThanOrEqual(-1)
      const past = await process.jobs.enqueue(job, 'past', { at: new Date(0) })
      expect(await past.result()).toBe('past')
    },
  },
  {
    name: 'a delay of decades waits, and one beyond all time too',
    async run({ queue, define, open }) {
      const job = define('job', () => {})
      const process = await open(job)
      await process.jobs.enqueue(job, 1, { delay: '20000d' })
      await process.jobs.enqueue(job, 1, { delay: Number.MAX_VALUE })
      await process.jobs.enqueue(job, 1, { at: new Date(8.64e15) })
      expect(await countsOf(process, queue)).toEqual({ delayed: 3 })
    },
  },
  {
    name: 'jobs run by their priority, and those of one priority in the order they came in',
    async run({ define, open }) {
      const ran: unknown[] = []
      const job = define('job', (input) => void ran.push(input))
      const process = await open(job)
      await process.jobs.enqueueMany(job, ['c1', 'c2'])
      await process.jobs.enqueue(job, 'a1', { priority: 100 })
      await process.jobs.enqueueMany(job, ['b1', 'b2'], { priority: 1 })
      await process.jobs.enqueue(job, 'd1', { priority: -1 })
      await process.jobs.enqueue(job, 'c3')
      await process.work({ concurrency: 1 })
      await drained(process, job)
      expect(ran).toEqual(['a1', 'b1', 'b2', 'c1', 'c2', 'c3', 'd1', 'the last one'])
    },
  },
  {
    name: 'the queues of a worker take turns, whatever the priorities in them',
    async run({ queue, define, open }) {
      const ran = { urgent: 0, usual: 0, low: 0 }
      const isOver = (): boolean => Math.min(...Object.values(ran)) >= 5
      // Of all but the last there is always more.
      const steady = (name: 'urgent' | 'usual', priority: number): Job => {
        const job: Job = define(
          name,
          async () => {
            ran[name]++
            if (!isOver()) await process.jobs.enqueue(job, 0)
          },
          { queue: `${queue}-${name}`, priority },
        )
        return job
      }
      const low = define('low', () => void ran.low++, { queue: `${queue}-low`, priority: -1 })
      const [urgent, usual] = [steady('urgent', 1), steady('usual', 0)]
      const process = await open(urgent, usual, low)
      for (const job of [urgent, usual]) await process.jobs.enqueueMany(job, Array.from({ length: 20 }).fill(0))
      await process.jobs.enqueueMany(low, Array.from({ length: 5 }).fill(0))
      await process.work({ queues: ['urgent', 'usual', 'low'].map((name) => `${queue}-${name}`), concurrency: 2 })
      await eventually(() => expect(isOver(), JSON.stringify(ran)).toBe(true))
    },
  },
  {
    name: 'a worker that has room for one runs a lane in its order, while more come in',
    async run({ define, open }) {
      const ran: number[] = []
      const job = define('job', (input: number) => void ran.push(input))
      const [one, two] = [await open(job), await open(job)]
      await one.work({ concurrency: 1 })
      const numbers = Array.from({ length: 120 }, (_, i) => i)
      for (const i of numbers) await (i % 3 === 0 ? one : two).jobs.enqueue(job, i)
      await eventually(() => expect(ran).toHaveLength(120))
      expect(ran).toEqual(numbers)
    },
  },
  {
    name: 'a unique job is not enqueued again until it has ended',
    async run({ define, open }) {
      const door = gate()
      const job = define('job', () => door.pass(), { unique: {} })
      const process = await open(job)
      const first = await process.jobs.enqueue(job, { a: 1, b: { c: 1, d: 2 } })
      const other = await process.jobs.enqueue(job, { a: 2, b: { c: 1, d: 2 } })
      const second = await process.jobs.enqueue(job, { b: { d: 2, c: 1 }, a: 1 })
      expect([first.duplicate, other.duplicate, second.duplicate]).toEqual([false, false, true])
      expect(second.id).toBe(first.id)
      await process.work()
      await eventually(() => expect(door.arrived).toBe(2))
      const third = await process.jobs.enqueue(job, { a: 1, b: { c: 1, d: 2 } })
      expect(third).toMatchObject({ duplicate: true, id: first.id })
      door.open()
      expect(await third.result(), 'of the one that was there').toBeUndefined()
      expect(await process.jobs.enqueue(job, { a: 1, b: { c: 1, d: 2 } })).toMatchObject({ duplicate: false })
    },
  },
  {
    name: 'a job that is unique until it has started is enqueued again while it runs',
    async run({ define, open }) {
      const door = gate()
      const job = define('job', () => door.pass(), { unique: { key: ({ a }: any) => a, until: 'started' } })
      const process = await open(job)
      const first = await process.jobs.enqueue(job, { a: 'x', b: 1 })
      expect(await process.jobs.enqueue(job, { a: 'x', b: 2 })).toMatchObject({ duplicate: true, id: first.id })
      await process.work({ concurrency: 1 })
      await eventually(() => expect(door.arrived).toBe(1))
      const next = await process.jobs.enqueue(job, { a: 'x', b: 3 })
      expect(next.duplicate).toBe(false)
      expect(await process.jobs.enqueue(job, { a: 'x', b: 4 })).toMatchObject({ duplicate: true, id: next.id })
      door.open()
      await next.result()
      expect(door.arrived).toBe(2)
    },
  },
  {
    name: 'a job that is unique for a time is not enqueued again in that, whatever becomes of it',
    async run({ define, open }) {
      const job = define('job', (input) => input)
      const process = await open(job)
      await process.work()
      const first = await process.jobs.enqueue(job, 1, { unique: { key: 'long', window: '1h' } })
      await first.result()
      expect(await process.jobs.enqueue(job, 2, { unique: { key: 'long', window: '1h' } })).toMatchObject({
        duplicate: true,
        id: first.id,
      })
      const short = { unique: { key: 'short', window: '1ms' } } as const
      await (await process.jobs.enqueue(job, 1, short)).result()
      await eventually(async () => expect((await process.jobs.enqueue(job, 2, short)).duplicate).toBe(false))
    },
  },
  {
    name: 'fifty callers of several processes that enqueue one key at once make one job',
    async run({ define, open }) {
      const job = define('job', () => {})
      const processes = await Promise.all([open(job), open(job)])
      const handles = await Promise.all(
        Array.from({ length: 50 }, (_, i) => processes[i % 2]!.jobs.enqueue(job, i, { unique: 'k' })),
      )
      expect(handles.filter(({ duplicate }) => !duplicate)).toHaveLength(1)
      expect(new Set(handles.map(({ id }) => id)).size).toBe(1)
    },
  },
  {
    name: 'keys are those of their job; a key of a transaction that is rolled back is free',
    async run({ define, open }) {
      const [a, b] = [define('a', () => {}), define('b', () => {})]
      const process = await open(a, b)
      expect((await process.jobs.enqueue(a, 1, { unique: 'k' })).duplicate).toBe(false)
      expect((await process.jobs.enqueue(b, 1, { unique: 'k' })).duplicate).toBe(false)
      await process.postgres
        .transaction(async () => {
          await process.jobs.enqueue(a, 1, { unique: 'free' })
          throw new Error('no')
        })
        .catch(() => {})
      expect((await process.jobs.enqueue(a, 1, { unique: 'free' })).duplicate).toBe(false)
    },
  },
  {
    name: 'the handle of a job of a transaction whose key another one holds is that of the other one',
    async run({ define, open }) {
      const ran: unknown[] = []
      const door = gate()
      const job = define('job', async (input, { progress }) => {
        ran.push(input)
        let done = 0
        const steps = setInterval(() => progress(++done), 10)
        await door.pass()
        clearInterval(steps)
        return input
      })
      const process = await open(job)
      const first = await process.jobs.enqueue(job, 'first', { unique: 'k' })
      const second = await process.postgres.transaction(() => process.jobs.enqueue(job, 'second', { unique: 'k' }))
      expect(await second.status()).toMatchObject({ id: first.id, input: 'first' })
      let heard = 0
      const unwatch = process.engine.watch!(second.id, () => heard++)
      await process.work()
      await eventually(() => expect(door.arrived).toBe(1))
      const before = heard
      await eventually(() => expect(heard).toBeGreaterThan(before))
      unwatch()
      const result = second.result()
      door.open()
      expect(await result).toBe('first')
      expect(await second.status()).toEqual(await first.status())
      expect(ran).toEqual(['first'])
    },
  },
  {
    name: 'who cancels a job of a transaction whose key another one holds cancels the other one, whether it waits or runs',
    async run({ define, open }) {
      const ran: unknown[] = []
      const job = define('job', (input, { signal }) => {
        ran.push(input)
        return untilAborted(signal)
      })
      const process = await open(job)
      const enqueue = (input: string): Promise<JobHandle<any>> => process.jobs.enqueue(job, input, { unique: 'k' })
      const within = (input: string): Promise<JobHandle<any>> => process.postgres.transaction(() => enqueue(input))
      const waiting = await enqueue('waits')
      expect(await (await within('not stored')).cancel()).toBe(true)
      expect(await waiting.status()).toMatchObject({ state: 'cancelled' })
      const running = await enqueue('runs')
      const other = await within('not stored either')
      await process.work()
      await eventually(async () => expect(await running.status()).toMatchObject({ state: 'active' }))
      expect(await process.engine.cancel([other.id, running.id])).toBe(1)
      expect((await failureOf(other.result())).code).toBe('PLIMSOLL_JOB_CANCELLED')
      expect(await other.cancel()).toBe(false)
      expect(ran).toEqual(['runs'])
    },
  },
  {
    name: 'a failed, cancelled or redriven job holds no key',
    async run({ define, open }) {
      const job = define('job', () => Promise.reject(new Error('no')), { retry: false })
      const process = await open(job)
      const cancelled = await process.jobs.enqueue(job, 1, { unique: 'k' })
      await cancelled.cancel()
      const failed = await process.jobs.enqueue(job, 1, { unique: 'k' })
      expect(failed.duplicate).toBe(false)
      const worker = await process.work()
      await expect(failed.result()).rejects.toThrow('no')
      await worker.close()
      const next = await process.jobs.enqueue(job, 1, { unique: 'k' })
      expect(next.duplicate).toBe(false)
      expect(await process.jobs.redrive({ ids: [failed.id] })).toBe(1)
      expect(await process.jobs.enqueue(job, 1, { unique: 'k' })).toMatchObject({ duplicate: true, id: next.id })
    },
  },
  {
    name: 'a debounced job runs once, with the last input',
    async run({ queue, define, open }) {
      const ran: unknown[] = []
      const job = define('job', (input) => void ran.push(input))
      const process = await open(job)
      const debounce = { key: 'k', wait: '50ms' } as const
      const first = await process.jobs.enqueue(job, 1, { debounce })
      const rest = [await process.jobs.enqueue(job, 2, { debounce }), await process.jobs.enqueue(job, 3, { debounce })]
      expect(first.duplicate).toBe(false)
      for (const handle of rest) expect(handle).toMatchObject({ id: first.id, duplicate: true })
      expect(await countsOf(process, queue)).toEqual({ delayed: 1 })
      const other = await process.jobs.enqueue(job, 4, { debounce: { key: 'l', wait: '1ms' } })
      await process.work()
      await Promise.all([first.result(), other.result()])
      expect(ran.toSorted()).toEqual([3, 4])
      expect((await process.jobs.enqueue(job, 5, { debounce })).duplicate).toBe(false)
    },
  },
  {
    name: 'a throttled job is enqueued once in its time, also when it fails and is redriven, and the others are dropped',
    async run({ define, open }) {
      const ran: unknown[] = []
      const job = define(
        'job',
        (input) => {
          ran.push(input)
          if (ran.length === 1) throw new Error('no')
        },
        { retry: false },
      )
      const process = await open(job)
      await process.work()
      const throttle = { key: 'k', per: '1h' } as const
      const first = await process.jobs.enqueue(job, 1, { throttle })
      const dropped = async (): Promise<void> =>
        expect(await process.jobs.enqueue(job, 2, { throttle })).toMatchObject({ duplicate: true, id: first.id })
      await failureOf(first.result())
      await dropped()
      expect(await process.jobs.redrive({ ids: [first.id] })).toBe(1)
      await first.result()
      await dropped()
      await drained(process, job)
      expect(ran).toEqual([1, 1, 'the last one'])
    },
  },
  {
    name: 'a time before any that a database knows is in the past, and no harm to what is enqueued beside it',
    async run({ define, open }) {
      const job = define('job', (input) => input)
      const process = await open(job)
      await process.work()
      const handles = await Promise.all([
        process.jobs.enqueue(job, 'beside'),
        process.jobs.enqueue(job, 'ancient', { at: new Date(-8.64e15) }),
      ])
      expect(await Promise.all(handles.map((handle) => handle.result()))).toEqual(['beside', 'ancient'])
    },
  },
  {
    name: 'a wait and a window without end are long ones',
    async run({ define, open }) {
      const job = define('job', (input) => input)
      const process = await open(job)
      const late = await process.jobs.enqueue(job, 1, { delay: 1e300 })
      const throttled = await process.jobs.enqueue(job, 2, { throttle: { key: 'k', per: 1e300 } })
      expect(new Date((await late.status())!.dueAt!).getFullYear()).toBeGreaterThan(2100)
      await process.work()
      expect(await throttled.result()).toBe(2)
      expect(await process.jobs.enqueue(job, 3, { throttle: { key: 'k', per: 1e300 } })).toMatchObject({
        id: throttled.id,
        duplicate: true,
      })
    },
  },
  {
    name: 'the many jobs of one tenant do not starve the few of another',
    async run({ define, open }) {
      const ran: string[] = []
      const job = define('job', (_, { tenant }) => void ran.push(tenant))
      const process = await open(job)
      for (let left = manyJobs; left > 0; left -= 10_000)
        await process.jobs.enqueueMany(job, Array.from({ length: Math.min(left, 10_000) }).fill(0), { tenant: 'big' })
      await process.jobs.enqueueMany(job, Array.from({ length: 10 }).fill(0), { tenant: 'small' })
      const worker = await process.work({ concurrency: 4 })
      await eventually(() => expect(ran.filter((tenant) => tenant === 'small')).toHaveLength(10))
      await worker.close()
      const before = ran.slice(0, ran.lastIndexOf('small')).filter((tenant) => tenant === 'big').length
      expect(before, 'ran before the last one of the small tenant').toBeLessThan(60)
    },
  },
  {
    name: 'the tenants of a job with a bound take turns',
    async run({ define, open }) {
      for (const bound of [{ concurrency: 1 }, { rateLimit: { count: 1, per: '10ms' } }] as const) {
        const ran: string[] = []
        const job = define(
          Object.keys(bound)[0]!,
          async (_, { id, tenant }) => {
            ran.push(tenant)
            // Long enough for the others to have asked in vain.
            for (let looks = 0; looks < 10; looks++) await process.jobs.handle(id).status()
          },
          bound,
        )
        const process = await open(job)
        await process.jobs.enqueueMany(job, Array.from({ length: 40 }).fill(0), { tenant: 'big' })
        await process.jobs.enqueueMany(job, Array.from({ length: 5 }).fill(0), { tenant: 'small' })
        const worker = await process.work()
        await eventually(() => expect(ran).toHaveLength(45))
        await worker.close()
        expect(ran.lastIndexOf('small'), 'where the last one of the small tenant ran').toBeLessThan(25)
      }
    },
  },
  {
    name: 'a hundred tenants take turns',
    async run({ define, open }) {
      const ran: string[] = []
      const job = define('job', (_, { tenant }) => void ran.push(tenant))
      const process = await open(job)
      const tenants = Array.from({ length: 100 }, (_, i) => `tenant-${i}`)
      for (const tenant of tenants) await process.jobs.enqueueMany(job, Array.from({ length: 8 }).fill(0), { tenant })
      await process.work({ concurrency: 10 })
      await eventually(() => expect(ran).toHaveLength(800))
      expect(new Set(ran.slice(0, 130)).size, 'had a turn among the first').toBeGreaterThan(95)
    },
  },
]
