import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { defineJob, defineSchedule, type Jobs, type Schedule } from '../../../src/jobs/index.ts'
import { anything } from '../../drivers/anything.ts'
import { run } from '../../drivers/door.ts'
import { engines, openPlace, type Place } from './open-flows.ts'
import { hourly, noteTime } from './scheduled-job.ts'

const ran = `select output from plimsoll.jobs where name = 'note-time' and state = 'done' order by created_at, output`
const nextOf = (name: string): string =>
  `select extract(epoch from next_at - clock_timestamp()) > 0, next_at from plimsoll.job_schedules where name = '${name}'`
const toIso = (at: Date): string => at.toISOString()

/** Puts a schedule back in time, as when nobody was there for so long. */
const pause = async ({ postgres }: Place, name: string, ago: string): Promise<void> =>
  void (await run(
    postgres,
    `update plimsoll.job_schedules set next_at = clock_timestamp() - interval '${ago}' where name = '${name}'`,
  ))

/** As when no process that agrees with the definition of a schedule has been heard of for long. */
const giveUp = async ({ postgres }: Place, name: string): Promise<void> =>
  void (await run(
    postgres,
    `update plimsoll.job_schedules set alive_until = clock_timestamp() - interval '1 second' where name = '${name}'`,
  ))

describe.each(engines)('schedules on %s', (engine) => {
  test('enqueue their job at every occurrence, with an input made of its time', async () => {
    const place = await openPlace(engine)
    const secondly = defineSchedule('secondly', { cron: '* * * * * *', job: noteTime, input: toIso })
    const jobs = await place.open([noteTime], { schedules: [secondly] })
    await jobs.work()
    await expect.poll(() => place.lines(ran), { timeout: 15_000 }).toSatisfy((lines: string[]) => lines.length >= 4)
    const times = (await place.lines(ran)).map((line) => Date.parse(JSON.parse(line) as string))
    for (const [i, time] of times.entries()) expect(time).toBe(times[0]! + i * 1000)
  })

  test('run what three ticks have missed as they say', async () => {
    const place = await openPlace(engine)
    const schedules = (['skip', 'once', 'all'] as const).map((missed) =>
      defineSchedule(missed, { every: '1h', missed, job: noteTime, input: (at) => `${missed} ${toIso(at)}` }),
    )
    const before = await place.open([noteTime], { schedules })
    await before.work()
    for (const { name } of schedules) expect(await place.lines(nextOf(name))).toEqual([expect.stringMatching(/^t /)])
    await before.close()
    for (const { name } of schedules) await pause(place, name, '2 hours 10 minutes')
    const [first] = await place.lines(
      `select extract(epoch from next_at) * 1000 from plimsoll.job_schedules where name = 'all'`,
    )
    const after = await place.open([noteTime], { schedules })
    await after.work()
    for (const { name } of schedules) {
      await expect.poll(() => place.lines(nextOf(name))).toEqual([expect.stringMatching(/^t /)])
    }
    const states = `select count(*) from plimsoll.jobs where name = 'note-time' and state <> 'done'`
    await expect.poll(() => place.lines(states)).toEqual(['0'])
    const said = (await place.lines(ran)).map((line) => JSON.parse(line) as string)
    const at = (hours: number): string => new Date(Math.trunc(Number(first)) + hours * 3_600_000).toISOString()
    expect(said.filter((line) => line.startsWith('all')).toSorted()).toEqual(
      [0, 1, 2].map((hours) => `all ${at(hours)}`),
    )
    // The last one, within the microseconds by which the three were put back.
    const [once, ...more] = said.filter((line) => line.startsWith('once'))
    expect(more).toEqual([])
    expect(Math.abs(Date.parse(once!.slice(5)) - Date.parse(at(2)))).toBeLessThan(5000)
    expect(said.filter((line) => line.startsWith('skip'))).toEqual([])
  })

  test('keep their time over restarts, and begin anew when it is changed', async () => {
    const place = await openPlace(engine)
    const open = async (schedule: Schedule): Promise<string> => {
      const jobs = await place.open([noteTime], { schedules: [schedule] })
      await jobs.work()
      await jobs.close()
      return (await place.lines(`select next_at from plimsoll.job_schedules where name = 'report'`))[0]!
    }
    const daily = await open(defineSchedule('report', { every: '1d', job: noteTime, input: 'a' }))
    expect(await open(defineSchedule('report', { every: '1d', job: noteTime, input: 'a' }))).toBe(daily)
    expect(await open(defineSchedule('report', { every: '1d', job: noteTime, input: 'b' }))).toBe(daily)
    const yearly = await open(defineSchedule('report', { cron: '0 0 1 1 *', job: noteTime, input: 'b' }))
    expect(yearly).toMatch(/^\d{4}-01-01 /)
  })

  test('go by the clock of the database only', async () => {
    const place = await openPlace(engine)
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    vi.setSystemTime(Date.now() + 600_000)
    const jobs = await place.open([noteTime], { schedules: [hourly(toIso)] })
    await jobs.work()
    const inMinutes = `select round(extract(epoch from next_at - clock_timestamp()) / 60) from plimsoll.job_schedules`
    expect(await place.lines(inMinutes)).toEqual(['60'])
    await pause(place, 'hourly', '1 second')
    await jobs.close()
    const again = await place.open([noteTime], { schedules: [hourly(toIso)] })
    await again.work()
    await expect.poll(() => place.lines(ran)).toHaveLength(1)
    expect(await place.lines(inMinutes)).toEqual(['60'])
  })

  test('whose input cannot be made are told of, lose nothing, and hold up no other', async () => {
    const place = await openPlace(engine)
    const warned: string[] = []
    const onWarning = ({ message }: Error): void => void warned.push(message)
    process.on('warning', onWarning)
    onTestFinished(() => void process.off('warning', onWarning))
    let broken = true
    const bad = defineSchedule('bad', {
      every: '1h',
      job: noteTime,
      input: () => {
        if (broken) throw new Error('no input today')
        return 'bad'
      },
    })
    const good = defineSchedule('good', { every: '1h', job: noteTime, input: 'good' })
    const first = await place.open([noteTime], { schedules: [bad, good] })
    await first.work()
    await first.close()
    await pause(place, 'bad', '1 second')
    await pause(place, 'good', '1 second')
    const jobs = await place.open([noteTime], { schedules: [bad, good] })
    await jobs.work()
    await expect.poll(() => place.lines(ran)).toEqual(['"good"'])
    expect(warned.filter((line) => line.includes('no input today'))).toHaveLength(1)
    broken = false
    await expect.poll(() => place.lines(ran), { timeout: 5000 }).toEqual(['"good"', '"bad"'])
  })

  test('are held on to by the process that enqueues them', async () => {
    const place = await openPlace(engine)
    const jobs = await place.open([noteTime], { schedules: [hourly(toIso)] })
    await jobs.work()
    await giveUp(place, 'hourly')
    const held = `select alive_until > clock_timestamp() from plimsoll.job_schedules`
    await expect.poll(() => place.lines(held), { timeout: 15_000 }).toEqual(['t'])
  })

  test('go on in a table of an older version', async () => {
    const place = await openPlace(engine)
    const before = await place.open([noteTime], { schedules: [hourly(toIso)] })
    await before.work()
    await before.close()
    await run(place.postgres, 'alter table plimsoll.job_schedules drop column alive_until')
    await pause(place, 'hourly', '1 second')
    const jobs = await place.open([noteTime], { schedules: [hourly(toIso)] })
    await jobs.work()
    await expect.poll(() => place.lines(ran), { timeout: 15_000 }).toHaveLength(1)
  })

  test('refuse an input that does not fit, and a job that nobody knows, when they are opened', async () => {
    const place = await openPlace(engine)
    const strict = defineJob(
      'strict',
      {
        input: {
          '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'never fits' }] }) },
        },
      },
      async () => {},
    )
    const schedule = defineSchedule('wrong', { every: '1h', job: strict, input: 1 })
    const jobs = await place.open([strict], { schedules: [schedule] })
    await expect(jobs.work()).rejects.toMatchObject({ code: 'PLIMSOLL_JOB_INPUT_INVALID' })
    await expect(place.open([noteTime], { schedules: [schedule] })).rejects.toThrow(
      `The schedule 'wrong' is of the job 'strict', which the application does not know`,
    )
    await expect(place.open([noteTime], { schedules: [hourly(toIso), hourly(toIso)] })).rejects.toThrow(
      `name of a schedule is 'hourly'; another one has it`,
    )
  })

  test('leave it to a job that is unique whether it is enqueued while it still runs', async () => {
    const place = await openPlace(engine)
    const { promise: may, resolve: end } = Promise.withResolvers<void>()
    let runs = 0
    const sweep = defineJob('sweep', { input: anything<object>(), unique: {} }, async () => {
      runs++
      await may
    })
    const jobs = await place.open([sweep], {
      schedules: [defineSchedule('sweep', { every: '1s', job: sweep, input: {} })],
    })
    await jobs.work()
    const last = `select last_at from plimsoll.job_schedules where last_at is not null`
    await expect.poll(() => place.lines(last), { timeout: 5000 }).toHaveLength(1)
    const [then] = await place.lines(last)
    await expect.poll(() => place.lines(last), { timeout: 5000 }).not.toEqual([then])
    expect(await place.lines('select count(*) from plimsoll.jobs')).toEqual(['1'])
    end()
    await expect.poll(() => runs, { timeout: 5000 }).toBeGreaterThan(1)
  })
})

describe.runIf(engines.includes('PostgreSQL'))('many schedulers on one PostgreSQL', () => {
  test('enqueue each occurrence once, and none is left out', async () => {
    const place = await openPlace('PostgreSQL')
    const schedule = (): Schedule => defineSchedule('secondly', { cron: '* * * * * *', job: noteTime, input: toIso })
    for (let process = 0; process < 3; process++) {
      const jobs = await place.open([noteTime], { schedules: [schedule()], own: true })
      await jobs.work()
    }
    await expect.poll(() => place.lines(ran), { timeout: 20_000 }).toSatisfy((lines: string[]) => lines.length >= 6)
    const times = (await place.lines(ran))
      .map((line) => Date.parse(JSON.parse(line) as string))
      .toSorted((a, b) => a - b)
    for (const [i, time] of times.entries()) expect(time).toBe(times[0]! + i * 1000)
  })

  test('enqueue what another one has begun to, and was killed', async () => {
    const place = await openPlace('PostgreSQL')
    const probe = defineSchedule('probe', { every: '1h', job: noteTime, input: 'probe' })
    const schedules = [hourly(toIso), probe]
    const before = await place.open([noteTime], { schedules })
    await before.work()
    await before.close()
    await pause(place, 'hourly', '1 minute')
    await pause(place, 'probe', '30 seconds')
    const dying = fork(join(import.meta.dirname, 'dying-scheduler.ts'), [place.database.url])
    onTestFinished(() => void dying.kill('SIGKILL'))
    expect(await once(dying, 'message')).toEqual(['locked', undefined])
    const jobs = await place.open([noteTime], { schedules })
    await jobs.work()
    // It is the other one's as long as that lives; what is due later is not.
    await expect.poll(() => place.lines(ran), { timeout: 10_000 }).toEqual(['"probe"'])
    expect(await place.lines(nextOf('hourly'))).toEqual([expect.stringMatching(/^f /)])
    expect(await place.lines('select count(*) from plimsoll.jobs')).toEqual(['1'])
    dying.kill('SIGKILL')
    await expect.poll(() => place.lines(ran), { timeout: 10_000 }).toHaveLength(2)
    expect(await place.lines(nextOf('hourly'))).toEqual([expect.stringMatching(/^t /)])
    expect(await place.lines('select count(*) from plimsoll.jobs')).toEqual(['2'])
  })

  test('of an older deploy leave a schedule alone that a newer one has changed, and keep one that it has left out', async () => {
    const place = await openPlace('PostgreSQL')
    const left = defineSchedule('left', { every: '1h', job: noteTime, input: 'left' })
    const old = defineSchedule('kept', { every: '1h', job: noteTime, input: 'old' })
    const older = await place.open([noteTime], { schedules: [old, left], own: true })
    await older.work()
    const newer = await place.open([noteTime], {
      schedules: [defineSchedule('kept', { every: '1h', job: noteTime, input: 'new' })],
      own: true,
    })
    await newer.work()
    for (let round = 1; round <= 2; round++) {
      await pause(place, 'kept', '1 second')
      await expect.poll(() => place.lines(ran), { timeout: 15_000 }).toHaveLength(round)
    }
    expect(await place.lines(ran)).toEqual(['"new"', '"new"'])
    await newer.close()
    await pause(place, 'left', '1 second')
    await expect.poll(() => place.lines(ran), { timeout: 15_000 }).toContain('"left"')
  }, 60_000)

  test('go on with what a newer deploy says when a process of an older one was started after it, and has ended', async () => {
    const place = await openPlace('PostgreSQL')
    const deploy = (input: string): Schedule => defineSchedule('report', { every: '1h', job: noteTime, input })
    const green = await place.open([noteTime], { schedules: [deploy('green')], own: true })
    await green.work()
    const blue = await place.open([noteTime], { schedules: [deploy('blue')], own: true })
    await blue.work()
    await pause(place, 'report', '1 second')
    await expect.poll(() => place.lines(ran), { timeout: 15_000 }).toEqual(['"blue"'])
    await blue.close()
    await pause(place, 'report', '1 second')
    await giveUp(place, 'report')
    await expect.poll(() => place.lines(ran), { timeout: 15_000 }).toEqual(['"blue"', '"green"'])
    expect(await place.lines(nextOf('report'))).toEqual([expect.stringMatching(/^t /)])
    expect(await place.lines('select count(*) from plimsoll.jobs')).toEqual(['2'])
  }, 60_000)

  test('of three deploys go by the last one of which a process lives', async () => {
    const place = await openPlace('PostgreSQL')
    const stored = 'select definition, defined_at from plimsoll.job_schedules'
    const processes: Jobs[] = []
    const said: string[][] = []
    for (const every of ['1h', '2h', '3h'] as const) {
      const schedules = [defineSchedule('report', { every, job: noteTime, input: every })]
      const jobs = await place.open([noteTime], { schedules, own: true })
      await jobs.work()
      processes.push(jobs)
      said.push(await place.lines(stored))
    }
    for (const last of [1, 0]) {
      await processes[last + 1]!.close()
      await giveUp(place, 'report')
      await expect.poll(() => place.lines(stored), { timeout: 20_000 }).toEqual(said[last])
      // Other times begin anew.
      const next = `select round(extract(epoch from next_at - clock_timestamp()) / 3600) from plimsoll.job_schedules`
      expect(await place.lines(next)).toEqual([`${last + 1}`])
    }
    // Nobody had been heard of for a while, and the newest one was there all the same.
    const newest = await place.open([noteTime], {
      schedules: [defineSchedule('report', { every: '4h', job: noteTime, input: 'newest' })],
      own: true,
    })
    await newest.work()
    const then = await place.lines(stored)
    const [definition] = said[0]![0]!.split(' ')
    await run(
      place.postgres,
      `update plimsoll.job_schedules set definition = '${definition}', defined_at = defined_at - interval '1 minute'`,
    )
    await expect.poll(() => place.lines(stored), { timeout: 15_000 }).toEqual(then)
  }, 90_000)
})
