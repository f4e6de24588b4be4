import type { Duration } from '../../core/duration.ts'
import { PlimsollError } from '../../core/errors.ts'
import type { Models } from '../../db/types/model.ts'
import type { Db } from '../../db/types.ts'
import type { ImageMaker } from '../../files/images/image-maker.ts'
import type { AddressedFiles } from '../../files/index.ts'
import { defineJob, isJob, type JobDefinition } from '../../jobs/define-job.ts'
import type { InputOf, OutputOf, Schema } from '../../jobs/standard-schema.ts'
import { defineSchedule, type Schedule } from '../../jobs/schedule/define-schedule.ts'
import type { Job, JobContext, JobOptions, Jobs } from '../../jobs/types.ts'

/** What the jobs that are there already work with: the parts of the application that they are listed in. */
export interface ReadyServices {
  readonly db: Db<Models>
  readonly files: AddressedFiles
  readonly images: ImageMaker
  /** The jobs of the application, once they are open. */
  readonly jobs: () => Jobs
}

/** The options of a job that is there already. Its handler needs the application, so it has no process of its own. */
export type ReadyJobOptions<I extends Schema> = Omit<JobOptions<I>, 'output' | 'sandbox'>

type Run = (input: unknown, context: JobContext, services: ReadyServices) => Promise<unknown>

/** What such jobs do, once they have an application. */
const runs = new WeakMap<Job, Run>()

/**
 * Defines a job whose handler is given parts of the application: it is listed, enqueued and run as any other. An application binds it
 * by {@link bindReadyJobs}.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function defineReadyJob<I extends Schema, Output>(
  name: string,
  options: ReadyJobOptions<I>,
  run: (input: OutputOf<I>, context: JobContext, services: ReadyServices) => Promise<Output>,
): Job<InputOf<I>, Output> {
  const job = defineJob<I, undefined, Output>(name, options, () => {
    throw new PlimsollError(
      'PLIMSOLL_JOB_UNBOUND',
      `The job '${name}' works with the database and the files of an application, and has none; list it in createApp({ jobs: [ … ] }).`,
      { details: { name } },
    )
  })
  runs.set(job, run)
  return job
}

/** Jobs that others enqueue for themselves: an application that knows those knows these too. */
const companions = new WeakMap<Job, readonly Job[]>()

/** Has an application that knows a job know others that it enqueues. */
export function withCompanions<J extends Job>(job: J, others: readonly Job[]): J {
  companions.set(job, others)
  return job
}

/** Schedules that come with a job. */
const schedules = new WeakMap<Job, readonly Schedule[]>()

/** What {@link withUpkeep} is given. */
export interface UpkeepOptions {
  /** The end of its name, which begins with that of the job. */
  readonly kind: string
  readonly queue: string | undefined
  readonly every: Duration
  /** Resolves to how much was removed. What one run does not come to, the next does. */
  readonly run: (context: JobContext, services: ReadyServices) => Promise<number>
}

/** Has an application that knows a job remove, by a schedule, what that has left behind and what is too old. */
export function withUpkeep<J extends Job>(job: J, { kind, queue, every, run }: UpkeepOptions): J {
  const name = `${job.name}.${kind}`
  const upkeep = defineReadyJob<Schema<object>, number>(
    name,
    { queue, timeout: '1h', unique: {}, input: nothing },
    (_, context, services) => run(context, services),
  )
  schedules.set(job, [defineSchedule(name, { every, job: upkeep, input: {} })])
  return withCompanions(job, [...(companions.get(job) ?? []), upkeep])
}

const nothing: Schema<object> = {
  '~standard': { version: 1, vendor: 'plimsoll', validate: () => ({ value: {} }) },
}

/** The schedules that come with jobs. */
export function schedulesOf(jobs: readonly Job[]): readonly Schedule[] {
  return jobs.flatMap((job) => schedules.get(job) ?? [])
}

/** The jobs, with those that are there already run with these parts of the application. */
export function bindReadyJobs(jobs: readonly Job[], services: ReadyServices): readonly Job[] {
  const known = jobs.flatMap((job) => [job, ...(companions.get(job) ?? [])])
  return known.map((job) => {
    const run = runs.get(job)
    if (run === undefined || !isJob(job)) return job
    const bound: JobDefinition = { ...job, handler: (input, context) => run(input, context, services) }
    return Object.freeze(bound)
  })
}
