import { PlimsollError } from '../../core/errors.ts'
import { events } from '../../core/events.ts'
import type { JobProgress, LeasedJob, Outcome } from '../contract.ts'
import type { JobDefinition } from '../define-job.ts'
import { describeIssues } from '../standard-schema.ts'
import type { JobContext } from '../types.ts'
import { afterFailure, toFailure } from './failure.ts'

/** How long a handler whose signal has aborted may still take. */
const graceMs = 5000

/** One run, as its worker sees it. */
export interface Run {
  readonly job: LeasedJob
  readonly definition: JobDefinition
  /** Ends the run: cancelled, out of time, handed back, or its lease is lost. */
  readonly controller: AbortController
  readonly progress: (progress: JobProgress) => void
}

/** Why a run was ended by its worker and not by itself. */
export type RunEnd = 'cancelled' | 'timeout' | 'released' | 'lost'

/** Ends a run. */
export function endRun(
  { controller, job, definition }: Pick<Run, 'controller' | 'job' | 'definition'>,
  why: RunEnd,
): void {
  const { id, name } = job
  const code = why === 'timeout' ? 'PLIMSOLL_JOB_TIMEOUT' : 'PLIMSOLL_JOB_CANCELLED'
  const text = {
    cancelled: 'was cancelled',
    timeout: `did not end within ${definition.timeoutMs} ms (timeout)`,
    released: 'is handed back, because its worker ends',
    lost: 'has lost its lease; another worker may run it by now',
  }[why]
  controller.abort(new PlimsollError(code, `The job '${name}' ${text}.`, { details: { id, name, why } }))
}

/** Runs a job, and says what has come of it. Never rejects. */
export async function runJob(run: Run): Promise<Outcome> {
  const { job, definition, controller } = run
  const timer = setTimeout(() => endRun(run, 'timeout'), Math.min(definition.timeoutMs, 2 ** 31 - 1))
  timer.unref()
  try {
    const input = await readInput(job, definition)
    const value = await withinGrace(run, async () => definition.handler(input, contextOf(run)))
    return { state: 'done', output: await writeOutput(value, definition), keepMs: definition.keepMs }
  } catch (error) {
    return outcomeOf(run, controller.signal.aborted ? controller.signal.reason : error)
  } finally {
    clearTimeout(timer)
  }
}

function outcomeOf({ job, definition }: Run, error: unknown): Outcome {
  const why = error instanceof PlimsollError ? error.details.why : undefined
  if (why === 'cancelled') return { state: 'cancelled', keepMs: definition.keepMs }
  if (why === 'released' || why === 'lost') return { state: 'released' }
  try {
    return afterFailure(definition, job.attempt, error)
  } catch (broken) {
    // retry.when itself has failed.
    return { state: 'failed', error: toFailure(broken), keepMs: definition.keepFailedMs }
  }
}

/** What the handler comes to; one that does not heed its signal is left behind after a while. */
async function withinGrace({ job, controller }: Run, work: () => Promise<unknown>): Promise<unknown> {
  const { signal } = controller
  const { promise: left, reject } = Promise.withResolvers<never>()
  let timer: NodeJS.Timeout | undefined
  const onAbort = (): void => {
    timer = setTimeout(() => {
      process.emitWarning(
        `The job '${job.name}' (${job.id}) still runs ${graceMs} ms after its signal has aborted; let its handler heed signal.`,
        'PlimsollWarning',
      )
      reject(signal.reason)
    }, graceMs)
  }
  if (signal.aborted) throw signal.reason
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work(), left])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', onAbort)
  }
}

async function readInput({ input, version, name }: LeasedJob, definition: JobDefinition): Promise<unknown> {
  const given: unknown = JSON.parse(input)
  const upgraded =
    version < definition.version && definition.upgrade !== undefined ? await definition.upgrade(given, version) : given
  const result = await definition.input['~standard'].validate(upgraded)
  if (result.issues === undefined) return result.value
  throw new PlimsollError(
    'PLIMSOLL_JOB_INPUT_INVALID',
    `The input of the job '${name}' does not fit: ${describeIssues(result.issues)}.`,
    { details: { name, version } },
  )
}

async function writeOutput(value: unknown, { name, output }: JobDefinition): Promise<string | undefined> {
  if (output === undefined) return value === undefined ? undefined : JSON.stringify(value)
  const result = await output['~standard'].validate(value)
  if (result.issues === undefined) return JSON.stringify(result.value)
  throw new TypeError(`The job '${name}' has returned what does not fit its output: ${describeIssues(result.issues)}.`)
}

function contextOf({ job, controller, progress }: Run): JobContext {
  const { id, name, attempt, tenant } = job
  const { signal } = controller
  const log =
    (level: 'info' | 'warn' | 'error') =>
    (message: string, details?: Readonly<Record<string, unknown>>): void => {
      if (events.hasSubscribers) events.publish({ type: 'job.log', id, name, level, message, details: details ?? {} })
    }
  return Object.freeze<JobContext>({
    id,
    name,
    attempt,
    tenant,
    idempotencyKey: id,
    signal,
    progress: (done, total, note) => progress({ done, total, note }),
    heartbeat: async () => {
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
    },
    log: { info: log('info'), warn: log('warn'), error: log('error') },
  })
}
