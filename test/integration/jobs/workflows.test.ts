import { describe, expect, test } from 'vitest'
import { chain, chord, defineJob, group, mapChunks, type Jobs } from '../../../src/jobs/index.ts'
import { jobId } from '../../../src/jobs/job-id.ts'
import { anything } from '../../drivers/anything.ts'
import { run } from '../../drivers/door.ts'
import { failureOf } from '../../drivers/jobs.ts'
import { echo, plusOne, sum } from './flow-jobs.ts'
import { engines, openPlace } from './open-flows.ts'

const states = async (jobs: Jobs, id: string): Promise<string[] | undefined> =>
  (await jobs.flow(id).status())?.steps.map(({ name, state, attempt }) => `${name} ${state} ${attempt}`)

/** A job that fails for as long as it is told to. */
function brittle(name = 'brittle') {
  const control = { broken: true, runs: 0 }
  const job = defineJob(name, { input: anything<number>(), retry: { attempts: 2, first: 1 } }, async (n) => {
    control.runs++
    if (control.broken) throw new Error(`${name} is broken`)
    return n * 10
  })
  return { job, control }
}

/** A job that runs until its signal aborts, or it is let go. */
function endless() {
  const began = Promise.withResolvers<void>()
  const may = Promise.withResolvers<void>()
  const aborted: unknown[] = []
  const job = defineJob('endless', { input: anything<number>() }, async (n, { signal }) => {
    began.resolve()
    signal.addEventListener('abort', () => aborted.push((signal.reason as { code: string }).code))
    await Promise.race([may.promise, new Promise((_, reject) => signal.addEventListener('abort', reject))])
    return n
  })
  return { job, began: began.promise, end: may.resolve, aborted }
}

describe.each(engines)('a workflow on %s', (engine) => {
  test('hands what a step gives to the next one, unless that has an input of its own', async () => {
    const place = await openPlace(engine)
    const jobs = await place.open([plusOne, echo])
    await jobs.work()
    const flow = await jobs.start(chain(plusOne.step(1), plusOne.step(), plusOne.step()))
    expect(await flow.result()).toBe(4)
    expect(await states(jobs, flow.id)).toEqual(['plus-one done 1', 'plus-one done 1', 'plus-one done 1'])
    expect(await (await jobs.start(chain(plusOne.step(1), echo.step('own')))).result()).toBe('own')
    expect(await (await jobs.start(plusOne.step(), { input: 41 })).result()).toBe(42)
  })

  test('comes to what all of a group give, in their order, however deep they are', async () => {
    const place = await openPlace(engine)
    const jobs = await place.open([plusOne, sum, echo])
    await jobs.work()
    const inner = chain(plusOne.step(), group(plusOne.step(), plusOne.step()), sum.step())
    const flow = await jobs.start(
      group(plusOne.step(), inner, chord(group(plusOne.step(), echo.step(5)), echo.step())),
      {
        input: 1,
      },
    )
    expect(await flow.result()).toEqual([2, 6, [2, 5]])
    const nothing = await jobs.start(chain(group(), echo.step(), group(), sum.step()))
    expect(await nothing.result()).toBe(0)
    const gives = await jobs.start(group(echo.step(undefined), echo.step(null), echo.step('"')))
    expect(await gives.result()).toEqual([null, null, '"'])
  })

  test('exists if and only if its transaction commits', async () => {
    const place = await openPlace(engine)
    const jobs = await place.open([plusOne])
    await jobs.work()
    const rolledBack = place.postgres.transaction(async () => {
      const flow = await jobs.start(chain(plusOne.step(1), plusOne.step()))
      expect(await flow.status()).toMatchObject({ state: 'running' })
      throw new Error('rolled back')
    })
    await expect(rolledBack).rejects.toThrow('rolled back')
    for (const table of ['job_flows', 'job_steps', 'jobs']) {
      expect(await place.lines(`select count(*) from plimsoll.${table}`)).toEqual(['0'])
    }
    const flow = await place.postgres.transaction(() => jobs.start(chain(plusOne.step(1), plusOne.step())))
    expect(await flow.result()).toBe(3)
  })

  test('has a job for every so many rows of whatever can be iterated', async () => {
    const place = await openPlace(engine)
    const jobs = await place.open([sum, echo])
    await jobs.work()
    const numbers = Array.from({ length: 1234 }, (_, n) => n)
    const flow = await jobs.start(chain(mapChunks(numbers, { size: 100, job: sum }), sum.step()))
    expect(await flow.result()).toBe((1233 * 1234) / 2)
    expect((await flow.status())?.counts).toEqual({ blocked: 0, running: 0, done: 14, failed: 0, cancelled: 0 })
    async function* words(): AsyncGenerator<string> {
      yield* ['a', 'b', 'c']
    }
    const joined = await jobs.start(mapChunks(words(), { size: 2, job: echo, input: (some) => some.join('') }))
    expect(await joined.result()).toEqual(['ab', 'c'])
    async function* broken(): AsyncGenerator<number> {
      yield* [1, 2, 3]
      throw new Error('no more rows')
    }
    const before = await place.lines('select count(*) from plimsoll.jobs')
    await expect(jobs.start(mapChunks(broken(), { size: 1, job: sum, input: (n) => n }))).rejects.toThrow(
      'no more rows',
    )
    expect(await place.lines('select count(*) from plimsoll.jobs')).toEqual(before)
  })

  test('stops where a step has failed for good, says so, and goes on from there', async () => {
    const place = await openPlace(engine)
    const { job, control } = brittle()
    const jobs = await place.open([plusOne, job, echo, sum])
    await jobs.work()
    const side = chain(plusOne.step(1), plusOne.step())
    const flow = await jobs.start(chain(plusOne.step(1), group(job.step(), side), sum.step()))
    await expect(flow.result()).rejects.toMatchObject({
      code: 'PLIMSOLL_JOB_FAILED',
      message: `The workflow has failed: the step 'brittle' has failed: brittle is broken`,
      cause: { message: 'brittle is broken' },
    })
    // What does not depend on it goes on.
    const stopped = ['plus-one done 1', 'brittle failed 2', 'plus-one done 1', 'plus-one done 1', 'sum blocked 0']
    await expect.poll(() => states(jobs, flow.id)).toEqual(stopped)
    expect(await flow.status()).toMatchObject({ state: 'failed', counts: { done: 3, failed: 1, blocked: 1 } })
    expect((await jobs.list({ states: ['failed'] })).map(({ name }) => name)).toEqual(['brittle'])
    control.broken = false
    expect(await flow.retry()).toBe(true)
    expect(await flow.result()).toBe(23)
    expect(control.runs).toBe(3)
    expect(await place.lines(`select count(*) from plimsoll.jobs where name = 'plus-one'`)).toEqual(['3'])
    expect(await flow.retry()).toBe(false)
  })

  test('goes on when the dead letter of its step is put back, and when that is not kept any more', async () => {
    const place = await openPlace(engine)
    const { job, control } = brittle()
    const jobs = await place.open([plusOne, job])
    await jobs.work()
    const first = await jobs.start(chain(job.step(1), plusOne.step()))
    const second = await jobs.start(chain(job.step(2), plusOne.step()))
    await expect(first.result()).rejects.toThrow('brittle is broken')
    await expect(second.result()).rejects.toThrow('brittle is broken')
    control.broken = false
    expect(await jobs.redrive({ ids: [(await first.status())!.steps[0]!.job!] })).toBe(1)
    await expect.poll(() => first.status()).toMatchObject({ state: 'done', output: 11 })
    await place.lines(`delete from plimsoll.jobs where state = 'failed'`)
    expect(await second.retry()).toBe(true)
    expect(await second.result()).toBe(21)
  })

  test('is cancelled with what runs and what waits, and goes on with that', async () => {
    const place = await openPlace(engine)
    const { job, began, aborted, end } = endless()
    const jobs = await place.open([plusOne, job, sum])
    await jobs.work({ concurrency: 2 })
    const flow = await jobs.start(chain(group(plusOne.step(1), job.step(5)), sum.step()))
    await began
    await expect.poll(async () => (await flow.status())?.counts.done).toBe(1)
    expect(await flow.cancel()).toBe(true)
    await expect(flow.result()).rejects.toMatchObject({
      code: 'PLIMSOLL_JOB_CANCELLED',
      message: 'The workflow was cancelled.',
    })
    await expect.poll(() => aborted).toEqual(['PLIMSOLL_JOB_CANCELLED'])
    expect(await flow.status()).toMatchObject({ state: 'cancelled', counts: { done: 1, cancelled: 1, blocked: 1 } })
    expect(await flow.cancel()).toBe(false)
    end()
    expect(await flow.retry()).toBe(true)
    expect(await flow.result()).toBe(7)
  })

  test('is not gone on with by a step that ends after it was cancelled', async () => {
    const place = await openPlace(engine)
    const { promise: may, resolve: end } = Promise.withResolvers<void>()
    const deaf = defineJob('deaf', { input: anything<number>() }, async (n) => {
      await may
      return n
    })
    const jobs = await place.open([deaf, plusOne])
    await jobs.work()
    const flow = await jobs.start(chain(deaf.step(1), plusOne.step()))
    await expect.poll(() => place.lines('select state from plimsoll.jobs')).toEqual(['active'])
    await flow.cancel()
    end()
    await expect.poll(() => place.lines('select state from plimsoll.jobs')).not.toEqual(['active'])
    expect(await states(jobs, flow.id)).toEqual([expect.stringMatching(/^deaf cancelled/), 'plus-one blocked 0'])
  })

  test('says that a step was cancelled by itself before it has begun, or is in quarantine', async () => {
    const place = await openPlace(engine)
    const elsewhere = defineJob('elsewhere', { input: anything<number>(), queue: 'elsewhere' }, async (n) => n)
    const jobs = await place.open([elsewhere, plusOne])
    await jobs.work({ queues: ['default'] })
    const one = await jobs.start(chain(elsewhere.step(1), plusOne.step()))
    const two = await jobs.start(chain(elsewhere.step(1), plusOne.step()))
    await jobs.cancel((await one.status())!.steps[0]!.job!)
    const job = (await two.status())!.steps[0]!.job!
    await place.lines(
      `update plimsoll.jobs set state = 'quarantined', error = '{"message":"its workers die"}' where id = '${job}'`,
    )
    await expect(one.result()).rejects.toThrow(`The workflow has failed: the step 'elsewhere' was cancelled`)
    await expect(two.result()).rejects.toThrow(
      `The workflow has failed: the step 'elsewhere' has failed: its workers die`,
    )
  })

  test('refuses what could never run', async () => {
    const place = await openPlace(engine)
    const jobs = await place.open([plusOne, echo])
    const open = plusOne.step() as ReturnType<typeof echo.step>
    await expect(jobs.start(chain(group(echo.step(1), open)))).rejects.toThrow(
      `The step 'plus-one' begins the workflow and has no input; give it one with step(input), or start(flow, { input }).`,
    )
    expect(() => chain()).toThrow('chain has no steps; give it one.')
    expect(() => group(plusOne as never)).toThrow('group has')
    expect(() => mapChunks([1], { job: echo, size: 0 })).toThrow('mapChunks has size 0; give a whole number from 1.')
    await expect(jobs.flow('0199d8a0-0000-7000-8000-000000000000').result()).rejects.toMatchObject({
      code: 'PLIMSOLL_JOB_UNKNOWN',
    })
    const flow = await jobs.start(echo.step(1))
    await expect(flow.result({ timeout: 20 })).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_TIMEOUT' })
    const controller = new AbortController()
    const aborted = flow.result({ signal: controller.signal })
    // It waits by then.
    setTimeout(() => controller.abort(new Error('no longer wanted')), 300)
    await expect(aborted).rejects.toThrow('no longer wanted')
    expect(await place.lines(`select count(*) from plimsoll.job_flows`)).toEqual(['1'])
  })

  test('fails where a group gives more than an input may have', async () => {
    const place = await openPlace(engine)
    const large = defineJob('large', { input: anything<number>() }, async () => 'x'.repeat(400_000))
    const jobs = await place.open([large, echo])
    await jobs.work()
    const flow = await jobs.start(chain(group(large.step(1), large.step(2), large.step(3)), echo.step()))
    await expect(flow.result()).rejects.toThrow(/the step 'echo' has failed: .* has 12000\d\d bytes as JSON/)
  })

  test('refuses a step that was given too much once more, and never runs it with nothing', async () => {
    const place = await openPlace(engine)
    const ran: unknown[] = []
    const join = defineJob('join', { input: anything<unknown>() }, async (value) => void ran.push(value))
    const large = defineJob('large', { input: anything<number>() }, async () => 'x'.repeat(600_000))
    const jobs = await place.open([large, join, plusOne])
    await jobs.work()
    const both = group(large.step(1), large.step(2))
    const direct = await jobs.start(chain(both, join.step()))
    // What it is given comes from before the group that it is in.
    const nested = await jobs.start(chain(both, group(plusOne.step(1), chain(join.step(), plusOne.step(1)))))
    for (const flow of [direct, nested]) {
      const refused = /the step 'join' has failed: .* has 12000\d\d bytes as JSON/
      await expect(flow.result()).rejects.toThrow(refused)
      expect(await flow.retry()).toBe(false)
      await expect(flow.result()).rejects.toThrow(refused)
      expect(await flow.status()).toMatchObject({ state: 'failed', counts: { failed: 1 } })
    }
    expect(ran).toEqual([])
    expect(await place.lines(`select count(*) from plimsoll.jobs where name = 'join'`)).toEqual(['0'])
  })

  test('gives a step that was refused what the one before has given, once that is allowed', async () => {
    const place = await openPlace(engine)
    const large = defineJob('large', { input: anything<number>() }, async () => 'x'.repeat(600_000))
    const jobs = await place.open([large, echo])
    await jobs.work()
    const both = group(large.step(1), large.step(2))
    const flow = await jobs.start(chain(both, group(echo.step(1), chain(echo.step(), echo.step()))))
    await expect(flow.result()).rejects.toThrow(/the step 'echo' has failed: .* bytes as JSON/)
    // As if more had been refused before.
    await run(
      place.postgres,
      `update plimsoll.job_steps set output = '["short"]' where flow = '${flow.id}' and kind = 'group' and state = 'done'`,
    )
    expect(await flow.retry()).toBe(true)
    expect(await flow.result()).toEqual([1, ['short']])
  })

  test('is forgotten when its time to be kept is over', async () => {
    const place = await openPlace(engine)
    const { job } = brittle()
    const jobs = await place.open([plusOne, job])
    await jobs.work()
    const kept = await jobs.start(plusOne.step(1))
    const short = await jobs.start(plusOne.step(1), { keep: 1 })
    const failed = await jobs.start(chain(job.step(1), plusOne.step()), { keepFailed: 1 })
    await expect.poll(() => short.status(), { timeout: 15_000 }).toBeUndefined()
    // It may be forgotten already.
    await expect(failed.result()).rejects.toMatchObject({
      code: expect.stringMatching(/^PLIMSOLL_JOB_(FAILED|UNKNOWN)$/),
    })
    expect(await kept.result()).toBe(2)
    await expect
      .poll(() => place.lines('select count(*) from plimsoll.job_steps'), { timeout: 15_000 })
      .toSatisfy(([count]: string[]) => Number(count) <= 3)
  })

  test('is there no more when its time to be kept is over, however many there are', { timeout: 60_000 }, async () => {
    const place = await openPlace(engine)
    const jobs = await place.open([plusOne])
    await run(
      place.postgres,
      `insert into plimsoll.job_flows (id, state, tenant, keep_ms, keep_failed_ms, expires_at)
      select gen_random_uuid(), 'done', '', 0, 0, clock_timestamp() - interval '1 minute' from generate_series(1, 25)`,
    )
    await run(
      place.postgres,
      `insert into plimsoll.job_steps (flow, step, kind, position, state, given)
      select id, 0, 'job', 0, 'done', false from plimsoll.job_flows`,
    )
    await jobs.work()
    await expect.poll(() => place.lines('select count(*) from plimsoll.job_flows'), { timeout: 20_000 }).toEqual(['0'])
    expect(await place.lines('select count(*) from plimsoll.job_steps')).toEqual(['0'])
  })

  test('of nothing but groups of nothing has ended when it is started', async () => {
    const place = await openPlace(engine)
    const jobs = await place.open([plusOne])
    const flow = await jobs.start(group(group(), group(group())))
    expect(await flow.status()).toMatchObject({ state: 'done', output: [[], [[]]] })
  })

  test('fails when what a group gives is more than anybody could read', { timeout: 60_000 }, async () => {
    const place = await openPlace(engine)
    const jobs = await place.open([plusOne])
    const id = jobId()
    await run(
      place.postgres,
      `insert into plimsoll.job_flows (id, state, tenant, keep_ms, keep_failed_ms) values ('${id}', 'running', '', 60000, 60000)`,
    )
    await run(
      place.postgres,
      `insert into plimsoll.job_steps (flow, step, kind, position, state, given) values ('${id}', 0, 'group', 0, 'running', false)`,
    )
    await run(
      place.postgres,
      `insert into plimsoll.job_steps (flow, step, kind, inside, parent, position, state, given, output)
      select '${id}', n, 'job', 'group', 0, n, 'done', true, '"' || repeat('x', 1024 * 1024 - 2) || '"' from generate_series(1, 101) n`,
    )
    await jobs.work()
    const failure = await failureOf(jobs.flow(id).result({ timeout: '30s' }))
    expect([failure.code, failure.message]).toEqual([
      'PLIMSOLL_JOB_FAILED',
      expect.stringContaining('a group has failed: What its steps have given has more than 104857600 bytes'),
    ])
  })
})
