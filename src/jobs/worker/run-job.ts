import { PlimsollError } from '../../core/errors.ts'
import type { JobProgress, LeasedJob, Outcome } from '../contract.ts'
import type { JobDefinition } from '../define-job.ts'
import type { Sandboxes } from '../sandbox/sandboxes.ts'
import { afterFailure, toFailure } from './failure.ts'
import { jobContext, publishLog } from './job-context.ts'
import { readInput, writeOutput } from './job-values.ts'

/** How long a handler whose signal has aborted may still take. */
const graceMs = 5000

/** The parts of {@link Run}. */
interface RunParts {
  readonly job: LeasedJob
  readonly definition: JobDefinition
  readonly progress: (progress: JobProgress) => void
  /** Where jobs run that are not to run in this process. */
  readonly sandboxes: Sandboxes
}

/** Why a run was ended by its worker and not by itself. */
export type RunEnd = 'cancelled' | 'timeout' | 'released' | 'lost'

/** One run, as its worker sees it. */
export class Run {
  readonly job: LeasedJob
  readonly definition: JobDefinition
  readonly progress: (progress: JobProgress) => void
  readonly sandboxes: Sandboxes
  /** Aborts when it is ended by its worker: cancelled, out of time, handed back, or its lease is lost. */
  readonly signal: AbortSignal
  readonly beganAt: number = performance.now()
  /** What {@link Deadlines} has for it. */
  timer: NodeJS.Timeout | undefined
  #ended = false
  readonly #controller = new AbortController()
  #grace: NodeJS.Timeout | undefined
  #leave: ((reason: unknown) => void) | undefined

  constructor({ job, definition, progress, sandboxes }: RunParts) {
    this.job = job
    this.definition = definition
    this.progress = progress
    this.sandboxes = sandboxes
    this.signal = this.#controller.signal
  }

  /** When it will be out of time, by `performance.now()`. */
  get until(): number {
    return this.beganAt + this.definition.timeoutMs
  }

  /** True from its end on, also while what came of it is stored. */
  get ended(): boolean {
    return this.#ended
  }

  end(why: RunEnd): void {
    if (this.signal.aborted) return
    const { id, name } = this.job
    const code = why === 'timeout' ? 'PLIMSOLL_JOB_TIMEOUT' : 'PLIMSOLL_JOB_CANCELLED'
    const text = {
      cancelled: 'was cancelled',
      timeout: `did not end within ${this.definition.timeoutMs} ms (timeout)`,
      released: 'is handed back, because its worker ends',
      lost: 'has lost its lease; another worker may run it by now',
    }[why]
    this.#controller.abort(new PlimsollError(code, `The job '${name}' ${text}.`, { details: { id, name, why } }))
    // It may last longer than its worker.
    if (this.#leave !== undefined) this.#grace = setTimeout(() => this.#giveUp(), graceMs).unref()
  }

  /**
   * What the run comes to; one that goes on after its signal has aborted is left behind after a while. There is no listener to the signal: it
   * would cost as much as all else that is done for a short run.
   */
  within<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#leave = reject
      work.then(resolve, reject)
    })
  }

  /** It has come to an end, whichever. */
  over(): void {
    this.#ended = true
    this.#leave = undefined
    clearTimeout(this.timer)
    clearTimeout(this.#grace)
  }

  #giveUp(): void {
    const { id, name } = this.job
    process.emitWarning(
      `The job '${name}' (${id}) still runs ${graceMs} ms after its signal has aborted; let its handler heed signal, and its upgrade and schemas settle.`,
      'PlimsollWarning',
    )
    this.#leave?.(this.signal.reason)
  }
}

/** Runs a job, and says what has come of it. Never rejects. */
export async function runJob(run: Run): Promise<Outcome> {
  const { definition, signal } = run
  try {
    // Ended before its time to begin: it would not be left behind.
    signal.throwIfAborted()
    const output = definition.sandbox === undefined ? await run.within(runHere(run)) : await run.sandboxes.run(run)
    return { state: 'done', output, keepMs: definition.keepMs }
  } catch (error) {
    return outcomeOf(run, signal.aborted ? signal.reason : error)
  } finally {
    run.over()
  }
}

async function runHere({ job, definition, signal, progress }: Run): Promise<string | undefined> {
  // It is for whoever has taken it to go on first: from here on the handler may block the event loop.
  const input = await readInput(job, definition)
  signal.throwIfAborted()
  const context = jobContext(job, { signal, progress, log: (line) => publishLog(job, line) })
  return writeOutput(await definition.handler(input, context), definition)
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
