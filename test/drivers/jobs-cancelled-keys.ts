import { expect } from 'vitest'
import type { Outcome } from '../../src/jobs/contract.ts'
import { countsOf, drained, eventually, failureOf, gate, takeOne, type JobsCase, type Process } from './jobs.ts'

/** Takes the only job that is ready, as a worker whose run goes on until what came of it is said. */
async function hold({ engine }: Process, queue: string): Promise<(outcome: Outcome) => Promise<boolean>> {
  const { consumer, leased } = await takeOne(engine, queue)
  await consumer.pause()
  return (outcome) => consumer.settle(leased, outcome)
}

const error = { name: 'Error', message: 'aborted' }
const keepMs = 60_000
const cancelledOutcome: Outcome = { state: 'cancelled', keepMs }
const outcomes: readonly Outcome[] = [
  cancelledOutcome,
  { state: 'done', output: undefined, keepMs },
  { state: 'failed', error, keepMs },
  { state: 'retry', delayMs: 0, error },
  { state: 'retry', delayMs: 1, error },
  { state: 'parked', error },
  { state: 'released' },
]

/** Keys of runs that were cancelled, and have not ended yet. */
export const cancelledKeyCases: readonly JobsCase[] = [
  {
    name: 'a run that was cancelled holds its key for nobody else, and who follows begins when it has ended, however it does',
    async run({ queue, define, open }) {
      const ran: unknown[] = []
      const job = define('job', (input) => void ran.push(input))
      const [one, two] = [await open(job), await open(job)]
      const followed = []
      for (const [i, outcome] of outcomes.entries()) {
        const unique = `k${i}`
        const old = await one.jobs.enqueue(job, 'old', { unique })
        const settle = await hold(one, queue)
        expect(await two.jobs.enqueue(job, 'none', { unique })).toMatchObject({ id: old.id, duplicate: true })
        expect(await two.jobs.cancel(old.id)).toBe(1)
        followed.push({ unique, old, settle, outcome })
      }
      const next = await Promise.all(followed.map(({ unique }, i) => two.jobs.enqueue(job, i, { unique })))
      for (const [i, { unique, old }] of followed.entries()) {
        expect(next[i]!.duplicate).toBe(false)
        expect(next[i]!.id).not.toBe(old.id)
        const again = await one.jobs.enqueue(job, 'none', { unique })
        expect(again).toMatchObject({ id: next[i]!.id, duplicate: true })
      }
      await two.work()
      await (await two.jobs.enqueue(job, 'other', { unique: 'other' })).result()
      await drained(two, job)
      expect(ran).toEqual(['other', 'the last one'])
      expect(await countsOf(one, queue)).toEqual({ active: outcomes.length, waiting: outcomes.length, done: 2 })
      for (const [i, { settle, outcome, old, unique }] of followed.entries()) {
        expect(await settle(outcome)).toBe(true)
        await next[i]!.result()
        expect(ran).toEqual(['other', 'the last one', ...next.slice(0, i + 1).keys()])
        const { state } = (await old.status())!
        expect(state).toBe(outcome.state === 'done' || outcome.state === 'failed' ? outcome.state : 'cancelled')
        expect((await one.jobs.enqueue(job, 'free', { unique, delay: '1h' })).duplicate).toBe(false)
      }
    },
  },
  {
    name: 'who follows a cancelled run may be cancelled, and who comes next follows that run too: delayed, and within bounds',
    async run({ queue, define, open }) {
      const ran: unknown[] = []
      const job = define('job', (input) => void ran.push(input), {
        concurrency: 10,
        rateLimit: { count: 1000, per: '1s' },
      })
      const process = await open(job)
      const unique = 'k'
      const old = await process.jobs.enqueue(job, 'old', { unique })
      const settle = await hold(process, queue)
      await process.work()
      expect(await old.cancel()).toBe(true)
      const never = await process.jobs.enqueue(job, 'never', { unique })
      await drained(process, job)
      expect(await never.cancel()).toBe(true)
      expect(await failureOf(never.result())).toMatchObject({ code: 'PLIMSOLL_JOB_CANCELLED' })
      const next = await process.jobs.enqueue(job, 'next', { unique, delay: '1ms' })
      await eventually(async () => expect((await next.status())!.state).toBe('waiting'))
      await drained(process, job)
      expect(ran).toEqual(['the last one', 'the last one'])
      await settle(cancelledOutcome)
      await next.result()
      expect(ran).toEqual(['the last one', 'the last one', 'next'])
    },
  },
  {
    name: 'who follows a cancelled run begins when the worker of that has died',
    async run({ queue, define, open, endLeases }) {
      const job = define('job', (input) => input)
      const [victim, other] = [await open(job), await open(job)]
      const old = await victim.jobs.enqueue(job, 'old', { unique: 'k' })
      await hold(victim, queue)
      expect(await old.cancel()).toBe(true)
      const next = await other.jobs.enqueue(job, 'next', { unique: 'k' })
      const worker = await other.work()
      await drained(other, job)
      expect(await next.status()).toMatchObject({ state: 'waiting', attempts: 0 })
      await worker.close()
      await endLeases()
      await other.work()
      expect(await next.result()).toBe('next')
      expect(await old.status()).toMatchObject({ state: 'cancelled', deaths: 1 })
    },
  },
  {
    name: 'a transaction cancels a run, and enqueues who follows it',
    async run({ queue, define, open }) {
      const job = define('job', (input) => input)
      const process = await open(job)
      const old = await process.jobs.enqueue(job, 'old', { unique: 'k' })
      const settle = await hold(process, queue)
      const next = await process.postgres.transaction(async () => {
        expect(await old.cancel()).toBe(true)
        return process.jobs.enqueue(job, 'next', { unique: 'k' })
      })
      expect(next.duplicate).toBe(false)
      await process.work()
      await drained(process, job)
      expect(await next.status()).toMatchObject({ state: 'waiting', attempts: 0 })
      await settle(cancelledOutcome)
      expect(await next.result()).toBe('next')
    },
  },
  {
    name: 'a cancelled run that is redriven follows nobody, and nobody follows it: it holds no key',
    async run({ queue, define, open }) {
      const job = define('job', (input) => input)
      const process = await open(job)
      const old = await process.jobs.enqueue(job, 'old', { unique: 'k' })
      const settleOld = await hold(process, queue)
      await old.cancel()
      await settleOld(cancelledOutcome)
      const other = await process.jobs.enqueue(job, 'other', { unique: 'k' })
      const settleOther = await hold(process, queue)
      await other.cancel()
      expect(await process.jobs.redrive({ ids: [old.id], states: ['cancelled'] })).toBe(1)
      await hold(process, queue)
      expect(await old.status()).toMatchObject({ state: 'active' })
      const next = await process.jobs.enqueue(job, 'next', { unique: 'k' })
      await settleOther(cancelledOutcome)
      await process.work()
      expect(await next.result()).toBe('next')
    },
  },
  {
    name: 'a key that is held for a time is held by a cancelled run too',
    async run({ queue, define, open }) {
      const job = define('job', () => {})
      const process = await open(job)
      const throttle = { key: 'k', per: '1h' } as const
      const old = await process.jobs.enqueue(job, 'old', { throttle })
      const settle = await hold(process, queue)
      expect(await old.cancel()).toBe(true)
      const dropped = { id: old.id, duplicate: true }
      expect(await process.jobs.enqueue(job, 'new', { throttle })).toMatchObject(dropped)
      await settle(cancelledOutcome)
      expect(await process.jobs.enqueue(job, 'new', { throttle })).toMatchObject(dropped)
    },
  },
  {
    name: 'runs that end just as they are cancelled never overlap with those that follow, and none of those is forgotten',
    async run({ define, open }) {
      const running = new Set<string>()
      const overlaps: string[] = []
      const door = gate()
      const job = define('job', async ({ key, isOld }: { key: string; isOld: boolean }) => {
        if (running.has(key)) overlaps.push(key)
        running.add(key)
        await (isOld ? door.pass() : new Promise((resolve) => setImmediate(resolve)))
        running.delete(key)
      })
      const [one, two] = [await open(job), await open(job)]
      const keys = Array.from({ length: 100 }, (_, i) => `k${i}`)
      const enqueue = (process: Process, isOld: boolean) =>
        Promise.all(keys.map((key) => process.jobs.enqueue(job, { key, isOld }, { unique: key })))
      await one.work({ concurrency: 100 })
      const old = await enqueue(one, true)
      await eventually(() => expect(door.arrived).toBe(100))
      await two.work({ concurrency: 100 })
      expect(await two.jobs.cancel(...old.map(({ id }) => id))).toBe(100)
      const next = Promise.all([enqueue(one, false), enqueue(two, false)])
      door.open()
      for (const handles of await next) {
        for (const [i, handle] of handles.entries()) {
          expect(handle.id).not.toBe(old[i]!.id)
          await handle.result()
        }
      }
      expect(overlaps).toEqual([])
    },
  },
]
