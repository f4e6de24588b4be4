import { PlimsollError } from '../../core/errors.ts'
import type { JobProgress, LeasedJob, Outcome } from '../contract.ts'
import type { JobDefinition } from '../define-job.ts'
import type { Sandboxes } from '../sandbox/sandboxes.ts'
import { afterFailure, toFailure } from './failure.ts'
import { jobContext, publishLog } from './job-context.ts'
import { readInput, writeOutput } from './job-values.ts'

/** How long a handler whose signal has aborted may still take. */
const graceMs = 5000

/** One run, as its worker sees it. */
export interface Run {
  readonly job: LeasedJob
  readonly definition: JobDefinition
  /** Ends the run: cancelled, out of time, handed back, or its lease is lost. */
  readonly controller: AbortController
  readonly progress: (progress: JobProgress) => void
  /** Where jobs run that are not to run in this process. */
  readonly sandboxes: Sandboxes
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
  const { definition, controller } = run
  const timer = setTimeout(() => endRun(run, 'timeout'), Math.min(definition.timeoutMs, 2 ** 31 - 1))
  timer.unref()
  try {
    const output = definition.sandbox === undefined ? await runHere(run) : await run.sandboxes.run(run)
    return { state: 'done', output, keepMs: definition.keepMs }
  } catch (error) {
    return outcomeOf(run, controller.signal.aborted ? controller.signal.reason : error)
  } finally {
    clearTimeout(timer)
  }
}

async function runHere(run: Run): Promise<string | undefined> {
  const { job, definition, controller, progress } = run
  const input = await readInput(job, definition)
  const context = jobContext(job, {
    signal: controller.signal,
    progress,
    log: (line) => publishLog(job, line),
  })
  return writeOutput(await withinGrace(run, async () => definition.handler(input, context)), definition)
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
