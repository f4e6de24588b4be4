import type { Duration } from '../core/duration.ts'
import { PlimsollError } from '../core/errors.ts'
import type { Postgres } from '../postgres/index.ts'
import type { JobEngine, JobState } from './contract.ts'
import { isJob, type BoundJobs, type JobDefinition } from './define-job.ts'
import { Enqueuer, type Relay } from './enqueuer.ts'
import { isJobId } from './job-id.ts'
import { jobHandle, toStatus } from './job-handle.ts'
import type { EnqueueOptions, Job, JobHandle, Jobs, JobTracer, JobWorker } from './types.ts'
import { scheduleDefinitions, type Schedule } from './schedule/define-schedule.ts'
import { Scheduler } from './schedule/scheduler.ts'
import { idleWorker, inSandbox } from './sandbox/in-sandbox.ts'
import { openWorker } from './worker/open-worker.ts'
import { openWorkflows } from './workflow/open-workflows.ts'

/** The options of {@link openJobs}. */
export interface OpenJobsOptions {
  /** Where transactions are. */
  readonly postgres: Postgres
  readonly engine: JobEngine
  /** The jobs that are known: what `defineJob` returns. */
  readonly jobs: readonly Job[]
  /** For engines that are not transactional. */
  readonly relay?: Relay | undefined
  /** Default: no spans. */
  readonly tracer?: JobTracer | undefined
  /** What `defineSchedule` returns. Default: none. */
  readonly schedules?: readonly Schedule[] | undefined
}

const stuck: readonly JobState[] = ['failed', 'parked', 'quarantined']

/** Opens the jobs of an application. The engine is closed with them. @throws PLIMSOLL_OPTION_INVALID */
export function openJobs({ postgres, engine, jobs: given, relay, tracer, schedules = [] }: OpenJobsOptions): Jobs {
  const definitions = byName(given)
  const enqueuer = new Enqueuer(postgres, { engine, relay, tracer })
  const over = new AbortController()
  const workflows = openWorkflows(postgres, { engine, enqueuer, closed: over.signal })
  const cancel = async (ids: readonly string[]): Promise<number> => {
    const count = await engine.cancel(ids)
    if (count > 0) workflows.ended(ids)
    return count
  }
  const handles = { engine, postgres, cancel, closed: over.signal }
  const scheduler = new Scheduler(postgres, { enqueuer, schedules: scheduleDefinitions(schedules, definitions) })
  const enqueueMany = async <O>(
    job: Job<any, O>,
    inputs: readonly unknown[],
    options?: EnqueueOptions,
  ): Promise<JobHandle<O>[]> => {
    // Those of a transaction wait in the outbox, for whoever carries them.
    if (over.signal.aborted && postgres.current() === undefined)
      throw closedError('enqueue before that, or open them again')
    const added = await enqueuer.enqueue(definitionOf(job), inputs, options)
    return added.map(({ id, duplicate }) => jobHandle<O>(handles, id, duplicate))
  }
  // A worker may run jobs before it has been handed out.
  const workers = new Set<Promise<JobWorker>>()
  let closed = false
  const close = async (options?: { readonly timeout?: Duration }): Promise<void> => {
    closed = true
    await scheduler.close()
    const opened = await Promise.allSettled(workers)
    await Promise.all(opened.flatMap((one) => (one.status === 'fulfilled' ? one.value.close(options) : [])))
    over.abort(closedError('what was waited for had not ended; it goes on wherever there are workers'))
    await workflows.close()
    for (const { boundTo } of definitions.values()) boundTo.delete(jobs)
    await engine.close()
  }
  const jobs: BoundJobs = Object.freeze<BoundJobs>({
    inTransaction: () => postgres.current() !== undefined,
    enqueue: async (job, input, options) => (await enqueueMany(job, [input], options))[0]!,
    enqueueMany,
    handle: (id) => jobHandle(handles, id, false),
    start: (flow, ...[startOptions]) => workflows.start(flow, startOptions),
    flow: (id) => workflows.handle(id),
    work: async (options) => {
      if (inSandbox()) return idleWorker
      await workflows.work()
      if (closed) return idleWorker
      const opening = openWorker(
        { engine, definitions, tracer, onOutcome: workflows.onOutcome, onEnded: workflows.ended },
        options,
      )
      workers.add(opening)
      const worker = await opening
      if (!closed) await scheduler.start()
      return worker
    },
    list: async (filter = {}, { size = 100, after } = {}) =>
      (await engine.list({ ...filter, ids: filter.ids && idsOf(filter.ids) }, { size, after })).map(toStatus),
    redrive: (filter) =>
      engine.redrive({ ...filter, ids: filter.ids && idsOf(filter.ids), states: filter.states ?? stuck }),
    cancel: async (...ids) => cancel(idsOf(ids)),
    counts: () => engine.counts(),
    depths: async () =>
      engine.depths?.() ?? (await engine.counts()).filter(({ state }) => state !== 'done' && state !== 'cancelled'),
    close,
    [Symbol.asyncDispose]: () => close(),
  })
  for (const { boundTo } of definitions.values()) boundTo.add(jobs)
  return jobs
}

function closedError(rest: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_JOBS_CLOSED', `The jobs were closed here: ${rest}.`)
}

/** Those of them that jobs can have, as they are spelled. */
function idsOf(given: readonly string[]): readonly string[] {
  return given.map((id) => id.toLowerCase()).filter(isJobId)
}

function definitionOf(job: Job): JobDefinition {
  if (isJob(job)) return job
  throw new PlimsollError('PLIMSOLL_OPTION_INVALID', 'What is enqueued is no job; give what defineJob() returns.', {
    details: { option: 'job' },
  })
}

function byName(given: readonly Job[]): ReadonlyMap<string, JobDefinition> {
  const definitions = new Map<string, JobDefinition>()
  for (const job of given) {
    const definition = definitionOf(job)
    const other = definitions.get(job.name)
    if (other !== undefined && other !== definition) {
      throw new PlimsollError(
        'PLIMSOLL_OPTION_INVALID',
        `Two jobs are named '${job.name}'; give each a name of its own.`,
        {
          details: { option: 'jobs', name: job.name },
        },
      )
    }
    definitions.set(job.name, definition)
  }
  return definitions
}
