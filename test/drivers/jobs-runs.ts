// Over 400 lines: one case after another, none of which needs to know of the others.
import { expect, onTestFinished } from 'vitest'
import { z } from 'zod'
import { observe, type PlimsollEvent } from '../../src/core/events.ts'
import type { JobProgress } from '../../src/jobs/contract.ts'
import type { JobHandler } from '../../src/jobs/index.ts'
import { countsOf, drained, eventually, failureOf, gate, takeOne, untilAborted, type JobsCase } from './jobs.ts'

/** An error with members of its own. */
function errorWith(message: string, members: Readonly<Record<string, unknown>>): Error {
  return Object.assign(new Error(message), members)
}

/** How runs go, and what becomes of jobs. */
export const runCases: readonly JobsCase[] = [
  {
    name: 'a handler is given its input and its context, and what it returns is the result',
    async run({ queue, define, open }) {
      const job = define('job', (input, { id, name, attempt, tenant, idempotencyKey, signal }) => ({
        input,
        given: { id, name, attempt, tenant, idempotencyKey, aborted: signal.aborted },
      }))
      const process = await open(job)
      await process.work()
      const handle = await process.jobs.enqueue(job, { a: [1] }, { tenant: 'acme', owner: 'user-7' })
      const { id } = handle
      const given = { id, name: job.name, attempt: 1, tenant: 'acme', idempotencyKey: id, aborted: false }
      expect(await handle.result()).toEqual({ input: { a: [1] }, given })
      const status = (await handle.status())!
      expect(status).toMatchObject({
        id,
        name: job.name,
        version: 1,
        queue,
        tenant: 'acme',
        owner: 'user-7',
        state: 'done',
        attempts: 1,
        deaths: 0,
        input: { a: [1] },
        error: undefined,
        dueAt: undefined,
      })
      expect(status.createdAt).toBeLessThanOrEqual(status.startedAt!)
      expect(status.startedAt).toBeLessThanOrEqual(status.endedAt!)
    },
  },
  {
    name: 'two thousand jobs are run once each by two workers',
    async run({ queue, define, open }) {
      const runs = new Map<number, number>()
      const job = define('job', (input: number) => void runs.set(input, (runs.get(input) ?? 0) + 1))
      const [one, two] = [await open(job), await open(job)]
      await one.work({ concurrency: 50 })
      await two.work({ concurrency: 50 })
      const numbers = Array.from({ length: 2000 }, (_, i) => i)
      for (let at = 0; at < 2000; at += 250) await one.jobs.enqueueMany(job, numbers.slice(at, at + 250))
      await eventually(() => expect(runs.size).toBe(2000))
      await eventually(async () => expect(await countsOf(one, queue)).toEqual({ done: 2000 }))
      expect([...runs].filter(([, count]) => count !== 1)).toEqual([])
    },
  },
  {
    name: 'a job that fails is tried again, until it does not',
    async run({ define, open }) {
      const seen: unknown[] = []
      const job = define('job', (_, { attempt, idempotencyKey }) => {
        seen.push([attempt, idempotencyKey])
        if (attempt < 3) throw new Error(`attempt ${attempt}`)
        return attempt
      })
      const process = await open(job)
      await process.work()
      const handle = await process.jobs.enqueue(job, 1)
      expect(await handle.result()).toBe(3)
      expect(seen).toEqual([1, 2, 3].map((attempt) => [attempt, handle.id]))
      expect(await handle.status()).toMatchObject({ state: 'done', attempts: 3, deaths: 0, error: undefined })
    },
  },
  {
    name: 'the next attempt waits, and says of what the last one failed',
    async run({ define, open }) {
      const job = define('job', () => Promise.reject(new Error('busy')), { retry: { first: '1h', most: '1h' } })
      const process = await open(job)
      await process.work()
      const handle = await process.jobs.enqueue(job, 1)
      await eventually(async () => expect(await handle.status()).toMatchObject({ state: 'delayed', attempts: 1 }))
      const { error, dueAt, startedAt } = (await handle.status())!
      expect(error).toMatchObject({ name: 'Error', message: 'busy' })
      expect(dueAt! - startedAt!, 'half of an hour at least').toBeGreaterThanOrEqual(1_800_000 - 1)
      expect(dueAt! - startedAt!).toBeLessThan(3_600_000 + 60_000)
    },
  },
  {
    name: 'a job that has used up its attempts has failed, with what it failed of',
    async run({ define, open }) {
      class Broken extends TypeError {
        override readonly name = 'Broken'
        readonly code = 'E_BROKEN'
      }
      const job = define('job', () => Promise.reject(new Broken('no \u0000 more')), {
        retry: { attempts: 2, first: '1ms' },
      })
      const process = await open(job)
      await process.work()
      const handle = await process.jobs.enqueue(job, 1)
      const failure = await failureOf(handle.result())
      expect(failure.code).toBe('PLIMSOLL_JOB_FAILED')
      expect(failure.message).toContain('no \u0000 more')
      expect(failure.details).toMatchObject({ id: handle.id, state: 'failed' })
      const { state, attempts, error } = (await handle.status())!
      expect({ state, attempts }).toEqual({ state: 'failed', attempts: 2 })
      expect(error).toMatchObject({ name: 'Broken', message: 'no \u0000 more', code: 'E_BROKEN' })
      expect(error!.stack).toContain('jobs-runs.ts')
      const cause: unknown = await handle.result().catch((reason: Error) => reason.cause)
      expect(cause).toBeInstanceOf(Error)
      expect(cause).toMatchObject({ ...error })
    },
  },
  {
    name: 'an error says whether another attempt can help, and when',
    async run({ define, open }) {
      // What is not said would be an hour.
      const retry = { first: '1h', most: '1h' } as const
      const attempts: unknown[] = []
      const job = define(
        'job',
        (input: string, { attempt }) => {
          attempts.push([input, attempt])
          if (attempt > 1) return
          if (input === 'never') throw errorWith('no', { retryable: false })
          if (input === 'soon') throw errorWith('no', { retryAfter: 1 })
          if (input === 'header') throw errorWith('no', { retryAfter: '0' })
          throw errorWith('no', { retryAfter: new Date(0) })
        },
        { retry },
      )
      const process = await open(job)
      await process.work()
      const [never, ...others] = await process.jobs.enqueueMany(job, ['never', 'soon', 'header', 'date'])
      await Promise.all(others.map((handle) => handle.result()))
      await expect(never!.result()).rejects.toThrow('no')
      expect(attempts).toHaveLength(7)
      expect((await never!.status())!.attempts).toBe(1)
    },
  },
  {
    name: 'retry.when decides for its job, also by failing itself',
    async run({ define, open }) {
      const asked: unknown[] = []
      const job = define(
        'job',
        (input: string, { attempt }) => {
          if (attempt === 1) throw new Error(input)
        },
        {
          retry: {
            first: '1h',
            when: (error, attempt) => {
              const { message } = error as Error
              asked.push([message, attempt])
              if (message === 'broken') throw new Error('of when')
              if (message === 'never to come') return { after: Number.POSITIVE_INFINITY }
              return message === 'again' ? { after: '1ms' } : false
            },
          },
        },
      )
      const process = await open(job)
      await process.work({ concurrency: 1 })
      const handles = await process.jobs.enqueueMany(job, ['again', 'give up', 'broken', 'never to come'])
      await handles[0]!.result()
      await expect(handles[1]!.result()).rejects.toThrow('give up')
      await expect(handles[2]!.result()).rejects.toThrow('of when')
      await expect(handles[3]!.result()).rejects.toThrow('retry.after')
      expect(asked).toHaveLength(4)
    },
  },
  {
    name: 'a handler may throw anything',
    async run({ define, open }) {
      const evil = {
        get message(): string {
          throw new Error('evil')
        },
      }
      const values: readonly (readonly [unknown, string])[] = [
        ['text', 'text'],
        [undefined, 'undefined'],
        [null, 'null'],
        [42n, 'a value that cannot be told'],
        [{ a: 1 }, '{"a":1}'],
        [Object.create(Error.prototype, Object.getOwnPropertyDescriptors(evil)), 'a value that cannot be told'],
      ]
      const job = define('job', (i: number) => Promise.reject(values[i]![0]), { retry: false })
      const process = await open(job)
      await process.work()
      const handles = await process.jobs.enqueueMany(job, [...values.keys()])
      for (const [i, handle] of handles.entries()) {
        await failureOf(handle.result())
        expect((await handle.status())!.error!.message).toBe(values[i]![1])
      }
    },
  },
  {
    name: 'what a handler returns is refused when it cannot be kept, and the job is not tried again',
    async run({ define, open }) {
      const itself: { self?: unknown } = {}
      itself.self = itself
      const values = [1n, itself, 'x'.repeat(1024 * 1024)]
      const job = define('job', (i: number) => values[i])
      const typed = define('typed', (input) => input, { output: z.object({ n: z.number() }) })
      const nothing = define('nothing', () => {})
      const process = await open(job, typed, nothing)
      await process.work()
      const handles = [
        ...(await process.jobs.enqueueMany(job, [0, 1, 2])),
        await process.jobs.enqueue(typed, { n: 'one' }),
      ]
      for (const [i, text] of ['BigInt', 'circular', '1048578 bytes', 'does not fit its output'].entries()) {
        await expect(handles[i]!.result()).rejects.toThrow(text)
        const { attempts, error } = (await handles[i]!.status())!
        expect({ attempts, code: error!.code }).toEqual({ attempts: 1, code: 'PLIMSOLL_JOB_OUTPUT_INVALID' })
        expect(error!.message).toContain(`The job '${(i < 3 ? job : typed).name}' has returned`)
      }
      expect(await (await process.jobs.enqueue(typed, { n: 1, more: 2 })).result()).toEqual({ n: 1 })
      expect(await (await process.jobs.enqueue(nothing, 1)).result()).toBeUndefined()
    },
  },
  {
    name: 'the signal of a run that takes too long aborts, which is a failed attempt',
    async run({ define, open }) {
      const reasons: unknown[] = []
      const job = define(
        'job',
        (_, { signal }) =>
          untilAborted(signal).catch((reason) => {
            reasons.push(reason.code)
            throw new Error('of its own')
          }),
        { timeout: '20ms', retry: { attempts: 2, first: '1ms' } },
      )
      const process = await open(job)
      await process.work()
      const handle = await process.jobs.enqueue(job, 1)
      await expect(handle.result()).rejects.toThrow('did not end within 20 ms')
      expect(reasons).toEqual(['PLIMSOLL_JOB_TIMEOUT', 'PLIMSOLL_JOB_TIMEOUT'])
      expect(await handle.status()).toMatchObject({
        state: 'failed',
        attempts: 2,
        error: { code: 'PLIMSOLL_JOB_TIMEOUT' },
      })
    },
  },
  {
    name: 'a result is waited for as long as the caller wants to, and kept for as long as the job says',
    async run({ define, open }) {
      const job = define('job', (input) => input, { keep: '1ms' })
      const process = await open(job)
      const handle = await process.jobs.enqueue(job, 'kept')
      const late = await failureOf(handle.result({ timeout: '20ms' }))
      expect(late.code).toBe('PLIMSOLL_JOB_TIMEOUT')
      expect(late.message).toContain('it is waiting')
      const controller = new AbortController()
      const aborted = handle.result({ signal: controller.signal })
      controller.abort(new Error('enough'))
      await expect(aborted).rejects.toThrow('enough')
      await process.work()
      await eventually(async () => expect(await handle.status()).toBeUndefined())
      expect((await failureOf(handle.result())).code).toBe('PLIMSOLL_JOB_UNKNOWN')
      expect((await failureOf(process.jobs.handle('018f0000-0000-7000-8000-000000000000').result())).code).toBe(
        'PLIMSOLL_JOB_UNKNOWN',
      )
    },
  },
  {
    name: 'a result is waited for in another process than it comes from',
    async run({ define, open }) {
      const job = define('job', (input) => input)
      const [one, two] = [await open(job), await open(job)]
      const waiting = await one.jobs.enqueueMany(job, [1, 2, 3])
      const results = Promise.all(waiting.map(({ id }) => one.jobs.handle(id).result()))
      await two.work()
      expect(await results).toEqual([1, 2, 3])
    },
  },
  {
    name: 'how far a run is can be seen from another process',
    async run({ define, open }) {
      const door = gate()
      const job = define('job', async (_, { progress, log }) => {
        progress(1, 10)
        progress(3, 10, 'a\u0000b')
        log.info('third', { n: 3 })
        await door.pass()
      })
      const [one, two] = [await open(job), await open(job)]
      const seen: PlimsollEvent[] = []
      const stop = observe((event) => seen.push(event))
      await one.work()
      const handle = two.jobs.handle((await one.jobs.enqueue(job, 1)).id)
      await eventually(async () =>
        expect((await handle.status())!.progress).toEqual({ done: 3, total: 10, note: 'a\u0000b' }),
      )
      door.open()
      await handle.result()
      stop()
      const ofJob = seen.filter((event) => event.type.startsWith('job.') && 'id' in event && event.id === handle.id)
      // It may have begun before its enqueueing was answered.
      const types = ofJob.map(({ type }) => type)
      expect(types.filter((type) => type !== 'job.enqueue')).toEqual(['job.start', 'job.log', 'job.end'])
      expect(types).toContain('job.enqueue')
    },
  },
  {
    name: 'how far a run came last is kept with what came of it, however short it was',
    async run({ define, open }) {
      const handler: JobHandler<string, void> = (note, { progress }) => {
        progress(1, 3)
        progress(2, 3, note)
        if (note !== 'done') throw new Error(note)
        progress(3, 3, note)
      }
      const once = define('once', handler, { retry: false })
      const later = define('later', handler, { retry: { first: '1h' } })
      const silent = define('silent', () => {})
      const process = await open(once, later, silent)
      await process.work()
      const handles = [
        ...(await process.jobs.enqueueMany(once, ['done', 'failed'])),
        await process.jobs.enqueue(later, 'later'),
        await process.jobs.enqueue(silent, 1),
      ]
      const seen = (): Promise<unknown> =>
        Promise.all(
          handles.map(async (handle) => {
            const { state, progress } = (await handle.status())!
            return { state, progress }
          }),
        )
      await eventually(async () =>
        expect(await seen()).toEqual([
          { state: 'done', progress: { done: 3, total: 3, note: 'done' } },
          { state: 'failed', progress: { done: 2, total: 3, note: 'failed' } },
          { state: 'delayed', progress: { done: 2, total: 3, note: 'later' } },
          { state: 'done', progress: undefined },
        ]),
      )
    },
  },
  {
    name: 'how far a run came is stored by what says its end, and is no more than that of its own job',
    async run({ queue, define, open }) {
      const job = define('job', () => {})
      const { jobs, engine } = await open(job)
      const ids = (await jobs.enqueueMany(job, [1, 2, 3])).map((handle) => handle.id)
      const { consumer, taken } = await takeOne(engine, queue, 3)
      await eventually(() => expect(taken).toHaveLength(3))
      const leased = new Map(taken.map((one) => [one.id, one]))
      const at = (done: number): JobProgress => ({ done, total: 9, note: undefined })
      const said = ids.map((id, i) => {
        const one = leased.get(id)!
        if (i !== 1) consumer.progress(one, at(i))
        return consumer.settle(one, { state: 'done', output: undefined, keepMs: 60_000 })
      })
      // It has ended.
      consumer.progress(leased.get(ids[1]!)!, at(8))
      expect(await Promise.all(said)).toEqual([true, true, true])
      const progress = (await Promise.all(ids.map((id) => engine.find(id)))).map((record) => record!.progress)
      expect(progress).toEqual([at(0), undefined, at(2)])
      await consumer.close()
    },
  },
  {
    name: 'of a note of the progress the first thousand characters are kept, and no half of one',
    async run({ define, open }) {
      const notes = ['x'.repeat(10_000_000), `${'x'.repeat(999)}\u{1f6a2}`, `${'x'.repeat(998)}\u{1f6a2}`]
      const door = gate()
      const job = define('job', async (n: number, { progress }) => {
        progress(n, 3, notes[n])
        await door.pass()
      })
      const process = await open(job)
      await process.work()
      const handles = await process.jobs.enqueueMany(job, [0, 1, 2])
      const kept = ['x'.repeat(1000), 'x'.repeat(999), notes[2]]
      await eventually(async () => {
        const seen = await Promise.all(handles.map((handle) => handle.status()))
        expect(seen.map((status) => status!.progress?.note)).toEqual(kept)
      })
      door.open()
    },
  },
  {
    name: 'an input of an older version is brought into the form of this one',
    async run({ define, open }) {
      const old = define('job', () => {})
      const upgraded = define('job', (input) => input, {
        version: 3,
        input: z.object({ name: z.string(), from: z.number() }),
        upgrade: (input: any, version) => ({ name: input.first + input.last, from: version }),
      })
      const asItIs = define('other', (input) => input, { version: 2 })
      const oldOther = define('other', () => {})
      const [before, after] = [await open(old, oldOther), await open(upgraded, asItIs)]
      const one = await before.jobs.enqueue(old, { first: 'Ada', last: 'L' })
      const two = await before.jobs.enqueue(oldOther, { n: 1 })
      const unfit = await before.jobs.enqueue(old, { first: 1, last: 2 })
      await after.work()
      expect(await one.result()).toEqual({ name: 'AdaL', from: 1 })
      expect(await two.result()).toEqual({ n: 1 })
      await expect(unfit.result()).rejects.toThrow('does not fit: name: ')
      expect((await unfit.status())!.attempts, 'since it will not fit the next time either').toBe(1)
    },
  },
  {
    name: 'jobs that nobody knows, and newer versions, are parked until a worker comes that does',
    async run({ queue, define, open }) {
      const known = define('known', () => 'known')
      const newer = define('job', (input) => `version 2 of ${input}`, { version: 2 })
      const older = define('job', () => 'version 1')
      const unknown = define('unknown', (input) => input)
      const enqueuing = await open(known, newer, unknown)
      const [first, second] = [
        await enqueuing.jobs.enqueue(newer, 'one'),
        await enqueuing.jobs.enqueue(unknown, 'two', { unique: 'k' }),
      ]
      const behind = await open(known, older)
      const worker = await behind.work()
      await eventually(async () => {
        const parked = { state: 'parked', attempts: 0, error: { code: 'PLIMSOLL_JOB_PARKED' } }
        expect(await first.status()).toMatchObject(parked)
        expect(await second.status()).toMatchObject(parked)
      })
      expect((await second.status())!.error!.message).toContain(`No job '${unknown.name}' is known here`)
      expect((await first.status())!.error!.message).toContain('version 2')
      expect(await enqueuing.jobs.enqueue(unknown, 'three', { unique: 'k' }), 'it has not ended').toMatchObject({
        duplicate: true,
      })
      expect(await (await behind.jobs.enqueue(known, 1)).result(), 'the others go on').toBe('known')
      await worker.close()
      await enqueuing.work({ queues: [queue] })
      expect(await first.result()).toBe('version 2 of one')
      expect(await second.result()).toBe('two')
    },
  },
  {
    name: 'what an older process parks is run by a newer one beside it, which has started before',
    waits: true,
    async run({ define, open }) {
      const door = gate()
      const newer = define('job', (input) => `version 2 of ${input}`, { version: 2 })
      const holding = define('holding', () => door.pass())
      const first = await open(newer, holding)
      await first.work({ concurrency: 1 })
      await first.jobs.enqueue(holding, 0)
      await eventually(() => expect(door.arrived).toBe(1))
      const behind = await open(define('job', () => 'version 1'))
      const leaving = await behind.work()
      const handle = await first.jobs.enqueue(newer, 'one')
      await eventually(async () => expect(await handle.status()).toMatchObject({ state: 'parked' }))
      await leaving.close()
      door.open()
      expect(await handle.result({ timeout: '20s' })).toBe('version 2 of one')
    },
  },
  {
    name: 'a job that was parked goes on with as many attempts as it had',
    async run({ queue, define, open }) {
      const job = define('job', () => {})
      const { engine, jobs } = await open(job)
      await jobs.enqueue(job, 1)
      const { consumer, leased, taken } = await takeOne(engine, queue)
      const error = { name: 'E', message: '' }
      expect(await consumer.settle(leased, { state: 'retry', delayMs: 0, error })).toBe(true)
      await eventually(() => expect(taken).toHaveLength(2))
      expect(await consumer.settle(taken[1]!, { state: 'parked', error })).toBe(true)
      expect(await engine.unpark([queue], new Map([[job.name, 1]]))).toBe(1)
      await eventually(() => expect(taken.map(({ attempt }) => attempt)).toEqual([1, 2, 2]))
      await consumer.close()
    },
  },
  {
    name: 'a rate of a time that nobody will see the end of lets its jobs run',
    async run({ define, open }) {
      const job = define('job', (input) => input, { rateLimit: { count: 2, per: Number.MAX_VALUE } })
      const { jobs, work } = await open(job)
      const warnings: string[] = []
      const note = ({ name }: Error): void => void warnings.push(name)
      process.on('warning', note)
      onTestFinished(() => void process.off('warning', note))
      await work()
      for (const input of [1, 2]) expect(await (await jobs.enqueue(job, input)).result({ timeout: '20s' })).toBe(input)
      expect(warnings, 'no timer is set to longer than there are').not.toContain('TimeoutOverflowWarning')
    },
  },
  {
    name: 'a bound on how many run at a time holds across workers',
    async run({ define, open }) {
      let running = 0
      let most = 0
      let ran = 0
      const doors = [gate(), gate()]
      const bounded = define(
        'bounded',
        async (door: number) => {
          most = Math.max(most, ++running)
          await doors[door]!.pass()
          running--
          ran++
        },
        { concurrency: 2 },
      )
      const free = define('free', () => {})
      const [one, two] = [await open(bounded, free), await open(bounded, free)]
      await one.jobs.enqueueMany(bounded, [0, 0, 1, 1, 1, 1, 1, 1], { tenant: 'a' })
      await one.jobs.enqueueMany(bounded, [1, 1, 1, 1], { tenant: 'b' })
      await one.work({ concurrency: 10 })
      await two.work({ concurrency: 10 })
      await eventually(() => expect(running).toBe(2))
      // Both workers have room, and have looked for more.
      for (const handle of await two.jobs.enqueueMany(free, Array.from({ length: 40 }).fill(0))) await handle.result()
      expect(running).toBe(2)
      doors[0]!.open()
      doors[1]!.open()
      await eventually(() => expect(ran).toBe(12))
      expect(most).toBe(2)
    },
  },
  {
    name: 'jobs that run one at a time follow each other at once',
    async run({ define, open }) {
      let ran = 0
      const job = define('job', () => void ran++, { concurrency: 1 })
      const process = await open(job)
      // Were each begun by a look, a fifth of a second after the one before, they would take half a minute.
      await process.jobs.enqueueMany(job, Array.from({ length: 150 }).fill(0))
      await process.work()
      await eventually(() => expect(ran).toBe(150))
    },
  },
  {
    name: 'a bound on how many begin in a time lets that many begin at once, and no more before there is a part of that time for it',
    async run({ queue, define, open }) {
      let ran = 0
      const job = define('job', () => void ran++, { rateLimit: { count: 5, per: '1h' } })
      const free = define('free', () => {})
      const process = await open(job, free)
      await process.jobs.enqueueMany(job, Array.from({ length: 8 }).fill(0))
      await process.work()
      await eventually(() => expect(ran).toBe(5))
      // There is room, and it was looked for more.
      for (let i = 0; i < 10; i++) await (await process.jobs.enqueue(free, i)).result()
      expect(ran).toBe(5)
      expect(await countsOf(process, queue)).toMatchObject({ waiting: 3 })
    },
  },
  {
    name: 'a bound on how many begin in a time holds across workers',
    waits: true,
    async run({ define, open }) {
      let ran = 0
      const job = define('job', () => void ran++, { rateLimit: { count: 5, per: '500ms' } })
      const [one, two] = [await open(job), await open(job)]
      await one.jobs.enqueueMany(job, Array.from({ length: 12 }).fill(0))
      const began = performance.now()
      await one.work()
      await two.work()
      await eventually(() => expect(ran).toBe(12))
      // Five at once, and one more each 100 ms at most.
      expect(performance.now() - began).toBeGreaterThanOrEqual(690)
      await drained(one, job)
      expect(ran).toBe(13)
    },
  },
  {
    name: 'a worker keeps to its bounds, its own and those of its queues',
    async run({ queue, define, open }) {
      const door = gate()
      const running = { video: 0, mail: 0 }
      const count = (kind: 'video' | 'mail') => async (): Promise<void> => {
        running[kind]++
        await door.pass()
      }
      const video = define('video', count('video'), { queue: `${queue}-video` })
      const mail = define('mail', count('mail'), { queue: `${queue}-mail` })
      const other = define('other', () => {}, { queue: `${queue}-other` })
      const process = await open(video, mail, other)
      await process.jobs.enqueueMany(video, Array.from({ length: 20 }).fill(0))
      await process.jobs.enqueue(other, 1)
      await process.work({
        queues: [{ name: `${queue}-video`, concurrency: 2 }, `${queue}-mail`],
        concurrency: 5,
      })
      await process.jobs.enqueueMany(mail, Array.from({ length: 20 }).fill(0))
      await eventually(() => expect(running).toEqual({ video: 2, mail: 3 }))
      const counts = await process.jobs.counts()
      const ofState = (name: string, state: string): number =>
        counts.find((one) => one.queue === `${queue}-${name}` && one.state === state)?.count ?? 0
      expect([ofState('video', 'active'), ofState('mail', 'active')]).toEqual([2, 3])
      expect([ofState('video', 'waiting'), ofState('mail', 'waiting')]).toEqual([18, 17])
      expect(ofState('other', 'waiting'), 'of a queue that is not its').toBe(1)
      door.open()
      await eventually(() => expect(running).toEqual({ video: 20, mail: 20 }))
    },
  },
]
