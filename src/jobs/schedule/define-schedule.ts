import { createHash } from 'node:crypto'
import type { Duration } from '../../core/duration.ts'
import { PlimsollError, showValue } from '../../core/errors.ts'
import { isJob, type JobDefinition } from '../define-job.ts'
import type { EnqueueOptions, Job } from '../types.ts'
import type { MissedPolicy } from './due-occurrences.ts'
import { cronTiming, intervalTiming, type Timing } from './timing.ts'

/** When a job is enqueued, again and again. */
export type ScheduleOptions<Input> = ScheduleTimes & {
  /**
   * What becomes of occurrences that no process was there for: none of them is made up for, the last one is, or all of them are.
   * Default `'once'`.
   */
  readonly missed?: MissedPolicy | undefined
  readonly job: Job<Input>
  /** What the job is given, or how it is made of the time that it is enqueued for. */
  readonly input: NoInfer<Input> | ((at: Date) => NoInfer<Input>)
  /** How it is enqueued. */
  readonly options?: Pick<EnqueueOptions, 'priority' | 'queue' | 'tenant' | 'owner'> | undefined
}

type ScheduleTimes =
  | {
      /** Minute, hour, day of the month, month, day of the week, such as `'0 7 * * 1-5'`; a part for the seconds may come first. */
      readonly cron: string
      /** Whose clock it goes by, such as `'Europe/Stockholm'`. Default `'UTC'`. */
      readonly timeZone?: string | undefined
      readonly every?: undefined
    }
  | {
      /** The time between two, at least a second; counted from when the schedule was first seen. */
      readonly every: Duration
      readonly cron?: undefined
      readonly timeZone?: undefined
    }

/** A schedule that was defined. */
export interface Schedule {
  readonly name: string
}

/** A schedule with its options, checked. */
export interface ScheduleDefinition extends Schedule {
  readonly timing: Timing
  readonly missed: MissedPolicy
  readonly job: JobDefinition
  /** The same at all times. */
  readonly fixed: boolean
  readonly inputAt: (at: Date) => unknown
  readonly options: EnqueueOptions
  /** Differs when anything but a function has changed. */
  readonly hash: string
}

/**
 * Defines a schedule: a name, times, and the job that is enqueued then.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 * @example
 * const nightly = defineSchedule('nightly-report', { cron: '0 7 * * *', timeZone: 'Europe/Stockholm', job: report, input: (day) => ({ day }) })
 * const sweep = defineSchedule('sweep', { every: '5m', job: sweepUploads, input: {} })
 */
export function defineSchedule<Input>(name: string, given: ScheduleOptions<Input>): Schedule {
  const { cron, every, timeZone, missed = 'once', job, input, options = {} } = given
  if (!/^[\w.:-]{1,200}$/.test(name)) throw invalid('name', name, 'use up to 200 letters, digits and . _ : -')
  if (!isJob(job)) throw invalid('job', job, 'give what defineJob() returns')
  if ((cron === undefined) === (every === undefined)) throw invalid('cron', cron, 'give either cron or every')
  if (!['skip', 'once', 'all'].includes(missed)) throw invalid('missed', missed, `use 'skip', 'once' or 'all'`)
  const timing = cron === undefined ? intervalTiming(every) : cronTiming(cron, timeZone)
  const made = typeof input === 'function'
  const told = [timing.text, missed, job.name, made ? null : input, options]
  const definition: ScheduleDefinition = {
    name,
    timing,
    missed,
    job,
    fixed: !made,
    inputAt: made ? (input as (at: Date) => unknown) : () => input,
    options,
    hash: createHash('sha256').update(JSON.stringify(told)).digest('base64url').slice(0, 22),
  }
  return Object.freeze(definition)
}

/**
 * The schedules of an application, which knows `jobs`.
 *
 * @throws PLIMSOLL_OPTION_INVALID for what is none, or two of one name; PLIMSOLL_JOB_UNBOUND for a job that it does not know
 */
export function scheduleDefinitions(
  given: readonly Schedule[],
  jobs: ReadonlyMap<string, JobDefinition>,
): readonly ScheduleDefinition[] {
  const names = new Set<string>()
  for (const schedule of given) {
    if (!('timing' in schedule)) throw invalid('schedules', schedule, 'give what defineSchedule() returns')
    if (names.has(schedule.name))
      throw invalid('name', schedule.name, 'another one has it: give each a name of its own')
    names.add(schedule.name)
    const { job } = schedule as ScheduleDefinition
    // An application may have given it what it works with, in a copy: what they are bound to is one and the same.
    if (jobs.get(job.name)?.boundTo === job.boundTo) continue
    throw new PlimsollError(
      'PLIMSOLL_JOB_UNBOUND',
      `The schedule '${schedule.name}' is of the job '${job.name}', which the application does not know; list it in createApp({ jobs: [ … ] }).`,
      { details: { schedule: schedule.name, name: job.name } },
    )
  }
  return given as readonly ScheduleDefinition[]
}

function invalid(option: string, value: unknown, fix: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${option} of a schedule is ${showValue(value)}; ${fix}.`, {
    details: { option },
  })
}
