import { expect } from 'vitest'
import { chain, chord, defineSchedule, group, mapChunks, type Schedule } from '../../src/jobs/index.ts'
import type { Postgres } from '../../src/postgres/index.ts'
import { rowsOf } from './door.ts'
import { eventually, failureOf, gate, untilAborted, type JobsCase } from './jobs.ts'

/** Puts a schedule back in time, as when nobody was there for so long. */
async function putBack(postgres: Postgres, name: string, ago: string): Promise<void> {
  const [row] = await rowsOf(
    postgres,
    `update plimsoll.job_schedules set next_at = clock_timestamp() - $2::interval where name = $1 returning name`,
    [name, ago],
  )
  expect(row).toEqual([name])
}

/** Jobs that make up one piece of work, and jobs that come again and again. */
export const flowCases: readonly JobsCase[] = [
  {
    name: 'a workflow hands on what its steps give: one after another, side by side, and of rows in chunks',
    async run({ define, open }) {
      const plus = define('plus', (n: number) => n + 1)
      const sum = define('sum', (numbers: number[]) => numbers.reduce((a, b) => a + b, 0))
      const process = await open(plus, sum)
      await process.work()
      const flow = await process.jobs.start(
        chain(plus.step(1), chord(group(plus.step(), chain(plus.step(), plus.step()), plus.step(10)), sum.step())),
      )
      expect(await flow.result()).toBe(3 + 4 + 11)
      expect(await flow.status()).toMatchObject({ state: 'done', counts: { done: 6, failed: 0 } })
      const rows = Array.from({ length: 1001 }, (_, n) => n)
      const chunks = await process.jobs.start(chain(mapChunks(rows, { size: 100, job: sum }), sum.step()))
      expect(await chunks.result()).toBe(500_500)
      expect((await chunks.status())!.counts.done).toBe(12)
    },
  },
  {
    name: 'a workflow exists if and only if its transaction commits',
    async run({ define, open }) {
      const plus = define('plus', (n: number) => n + 1)
      const process = await open(plus)
      await process.work()
      let id = ''
      await process.postgres
        .transaction(async () => {
          id = (await process.jobs.start(chain(plus.step(1), plus.step()))).id
          throw new Error('no')
        })
        .catch(() => {})
      expect(await process.jobs.flow(id).status()).toBeUndefined()
      const flow = await process.postgres.transaction(() => process.jobs.start(chain(plus.step(1), plus.step())))
      expect(await flow.result()).toBe(3)
    },
  },
  {
    name: 'a workflow stops where a step has failed for good, and is retried from there, by another process too',
    async run({ define, open }) {
      let broken = true
      let before = 0
      const plus = define('plus', (n: number) => (before++, n + 1))
      const brittle = define(
        'brittle',
        (n: number) => {
          if (broken) throw new Error('it is broken')
          return n * 10
        },
        { retry: { attempts: 2, first: 1 } },
      )
      const [one, two] = [await open(plus, brittle), await open(plus, brittle)]
      await one.work()
      const flow = await one.jobs.start(chain(plus.step(1), brittle.step(), plus.step()))
      expect((await failureOf(flow.result())).message).toContain('it is broken')
      expect(await flow.status()).toMatchObject({ state: 'failed', counts: { done: 1, failed: 1, blocked: 1 } })
      broken = false
      expect(await two.jobs.flow(flow.id).retry()).toBe(true)
      expect(await flow.result()).toBe(21)
      expect(before, 'what was done is not run again').toBe(2)
    },
  },
  {
    name: 'a step that was given too much is refused again when its workflow is retried',
    async run({ define, open }) {
      const big = define('big', () => 'x'.repeat(600_000))
      const join = define('join', () => expect.fail('It was given too much.'))
      const process = await open(big, join)
      await process.work()
      const flow = await process.jobs.start(chord(group(big.step(1), big.step(2)), join.step()))
      expect((await failureOf(flow.result())).message).toContain('has 1200007 bytes as JSON')
      expect(await flow.retry()).toBe(false)
      expect((await failureOf(flow.result())).message).toContain('has 1200007 bytes as JSON')
      expect(await flow.status()).toMatchObject({ state: 'failed', counts: { done: 2, failed: 1, running: 0 } })
    },
  },
  {
    name: 'a workflow is cancelled with what runs and what waits, from another process',
    async run({ define, open }) {
      const began = gate()
      const codes: unknown[] = []
      const slow = define('slow', async (_, { signal }) => {
        void began.pass()
        await untilAborted(signal).catch((reason) => {
          codes.push(reason.code)
          throw reason
        })
      })
      const never = define('never', () => expect.fail('It was cancelled.'))
      const [one, two] = [await open(slow, never), await open(slow, never)]
      await one.work({ concurrency: 1 })
      const flow = await one.jobs.start(chain(group(slow.step(1), slow.step(2)), never.step()))
      await eventually(() => expect(began.arrived).toBe(1))
      expect(await two.jobs.flow(flow.id).cancel()).toBe(true)
      expect((await failureOf(flow.result())).code).toBe('PLIMSOLL_JOB_CANCELLED')
      await eventually(() => expect(codes).toEqual(['PLIMSOLL_JOB_CANCELLED']))
      expect(await flow.status()).toMatchObject({ state: 'cancelled', counts: { running: 0, done: 0 } })
      expect(began.arrived).toBe(1)
    },
  },
  {
    name: 'a workflow is told of a step that is cancelled while it waits, also where nobody works',
    async run({ define, open }) {
      const slow = define('slow', () => expect.fail('It was cancelled.'))
      const process = await open(slow)
      const [flow, within, other] = [
        await process.jobs.start(chain(slow.step(1), slow.step())),
        await process.jobs.start(chain(slow.step(1), slow.step())),
        await process.jobs.start(group(slow.step(1), slow.step(2))),
      ]
      const jobOf = async ({ id }: { readonly id: string }): Promise<string> =>
        (await process.jobs.flow(id).status())!.steps[0]!.job!
      expect(await process.jobs.cancel(await jobOf(flow))).toBe(1)
      expect((await failureOf(flow.result())).message).toMatch(/the step 'slow-.*' was cancelled/)
      expect(await process.jobs.handle(await jobOf(other)).cancel()).toBe(true)
      await eventually(async () =>
        expect(await other.status()).toMatchObject({ state: 'failed', counts: { cancelled: 1, running: 1 } }),
      )
      await process.postgres.transaction(async () => {
        expect(await process.jobs.cancel(await jobOf(within))).toBe(1)
        expect(await within.status(), 'not before the commit').toMatchObject({ state: 'running' })
      })
      expect((await failureOf(within.result())).code).toBe('PLIMSOLL_JOB_FAILED')
    },
  },
  {
    name: 'a workflow is told of a step that has gone into quarantine, however many of its steps wait',
    needs: ['found deaths'],
    async run({ queue, define, open, endLeases }) {
      let runs = 0
      const deadly = define('deadly', async (_, { signal }) => {
        runs++
        await untilAborted(signal)
      })
      const waiting = define('waiting', () => {}, { queue: `${queue}-nobody` })
      const process = await open(deadly, waiting)
      await process.work({ concurrency: 1 })
      // To find it among these would take a minute.
      const many = Array.from({ length: 2500 }, () => waiting.step(0))
      const flow = await process.jobs.start(group(...many, deadly.step(0)))
      for (let deaths = 1; deaths <= 3; deaths++) {
        await eventually(() => expect(runs).toBe(deaths))
        await endLeases()
      }
      await eventually(async () =>
        expect(await flow.status()).toMatchObject({ state: 'failed', counts: { failed: 1, running: 2500 } }),
      )
      expect((await failureOf(flow.result())).message).toMatch(/the step 'deadly-.*' has failed: .*3 workers/)
      await flow.cancel()
    },
  },
  {
    name: 'two schedulers at once enqueue every occurrence once',
    waits: true,
    async run({ queue, define, openScheduled }) {
      const times: number[] = []
      const job = define('note', (at: string) => void times.push(Date.parse(at)))
      const schedule = (): Schedule =>
        defineSchedule(`secondly-${queue}`, { cron: '* * * * * *', job, input: (at) => at.toISOString() })
      for (let i = 0; i < 2; i++) await (await openScheduled([schedule()], job)).work()
      await eventually(() => expect(times.length).toBeGreaterThanOrEqual(4))
      const sorted = times.toSorted((a, b) => a - b)
      for (const [i, time] of sorted.entries()) expect(time).toBe(sorted[0]! + i * 1000)
    },
  },
  {
    name: 'a schedule goes on as a newer deploy says when an older one that was started after it has ended',
    async run({ queue, define, openScheduled }) {
      const ran: string[] = []
      const job = define('note', (deploy: string) => void ran.push(deploy))
      const name = `report-${queue}`
      const deploy = (input: string): Schedule => defineSchedule(name, { every: '1h', job, input })
      const green = await openScheduled([deploy('green')], job)
      await green.work()
      const blue = await openScheduled([deploy('blue')], job)
      await blue.work()
      await putBack(green.postgres, name, '1 second')
      await eventually(() => expect(ran).toEqual(['blue']))
      await blue.jobs.close()
      await putBack(green.postgres, name, '1 second')
      await rowsOf(green.postgres, 'update plimsoll.job_schedules set alive_until = null where name = $1', [name])
      await eventually(() => expect(ran).toEqual(['blue', 'green']))
    },
  },
  {
    name: 'of three ticks that nobody was there for none, the last or all are made up for',
    async run({ queue, define, openScheduled }) {
      const policies = ['skip', 'once', 'all'] as const
      const ran: string[] = []
      const job = define('note', (missed: string) => void ran.push(missed))
      const schedules = policies.map((missed) =>
        defineSchedule(`${missed}-${queue}`, { every: '1h', missed, job, input: missed }),
      )
      const before = await openScheduled(schedules, job)
      await before.work()
      await before.jobs.close()
      for (const { name } of schedules) await putBack(before.postgres, name, '2 hours 10 minutes')
      const after = await openScheduled(schedules, job)
      await after.work()
      await eventually(() => expect(ran.toSorted()).toEqual(['all', 'all', 'all', 'once']))
      const next = await rowsOf(
        after.postgres,
        `select name from plimsoll.job_schedules where name like $1 and next_at > clock_timestamp()`,
        [`%-${queue}`],
      )
      expect(next, 'all of them are on their way again').toHaveLength(3)
    },
  },
]
