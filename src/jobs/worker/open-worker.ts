import { AsyncLocalStorage } from 'node:async_hooks'
import { parseDuration, type Duration } from '../../core/duration.ts'
import type { ErrorCode } from '../../core/error-codes.ts'
import { PlimsollError, showValue } from '../../core/errors.ts'
import { events, publishNotice } from '../../core/events.ts'
import type { Consumer, JobEngine, JobLimit, LeasedJob, Outcome } from '../contract.ts'
import { checkQueue, type JobDefinition } from '../define-job.ts'
import type { JobTracer, JobWorker, WorkOptions } from '../types.ts'
import { Sandboxes } from '../sandbox/sandboxes.ts'
import { BlockedLoop } from './blocked-loop.ts'
import { Deadlines } from './deadlines.ts'
import { Run, runJob, type RunEnd } from './run-job.ts'

/** What a worker runs. */
export interface WorkerParts {
  readonly engine: JobEngine
  readonly definitions: ReadonlyMap<string, JobDefinition>
  readonly tracer?: JobTracer | undefined
  /** Told what came of a step of a workflow before it is settled. When it rejects, the run is handed back. */
  readonly onOutcome?: OutcomeHook | undefined
  /** Told which jobs have ended without a worker that could say so. */
  readonly onEnded?: ((ids: readonly string[]) => void) | undefined
}

export type OutcomeHook = (job: LeasedJob, outcome: Outcome) => Promise<void>

/** How often it is looked for jobs that others have parked. */
const unparkMs = 5000

/** Begins to run jobs. Those that are parked because nobody knew them have another try, now and whenever there are some. */
export async function openWorker(parts: WorkerParts, options: WorkOptions = {}): Promise<JobWorker> {
  const worker = new Worker(parts, options)
  await worker.open()
  return worker
}

class Worker implements JobWorker {
  readonly #engine: JobEngine
  readonly #definitions: ReadonlyMap<string, JobDefinition>
  readonly #tracer: JobTracer | undefined
  readonly #onOutcome: OutcomeHook | undefined
  readonly #onEnded: WorkerParts['onEnded']
  readonly #concurrency: number
  readonly #queues: readonly { readonly name: string; readonly concurrency: number }[]
  readonly #running = new Map<string, Run>()
  readonly #outside = AsyncLocalStorage.snapshot()
  readonly #sandboxes: Sandboxes
  readonly #loop = new BlockedLoop()
  readonly #deadlines = new Deadlines(() => this.#running.values())
  #consumer: Consumer | undefined
  /** The latest end of what runs; undefined when that one has ended, and nobody has asked since. */
  #latestEnd: number | undefined
  #unparkTimer: NodeJS.Timeout | undefined
  #idle: (() => void)[] = []
  #closing: Promise<void> | undefined

  constructor({ engine, definitions, tracer, onOutcome, onEnded }: WorkerParts, options: WorkOptions) {
    this.#engine = engine
    this.#definitions = definitions
    this.#tracer = tracer
    this.#onOutcome = onOutcome
    this.#onEnded = onEnded
    this.#concurrency = options.concurrency ?? 20
    if (!Number.isSafeInteger(this.#concurrency) || this.#concurrency < 1)
      throw invalid('concurrency', this.#concurrency)
    this.#sandboxes = new Sandboxes({ most: this.#concurrency })
    const known = options.queues ?? [...new Set([...definitions.values()].map(({ queue }) => queue))]
    this.#queues = known.map((queue) => {
      const { name, concurrency } =
        typeof queue === 'string' ? { name: queue, concurrency: this.#boundOf(queue) } : queue
      checkQueue(name)
      if (!Number.isSafeInteger(concurrency) || concurrency < 1)
        throw invalid(`concurrency of the queue '${name}'`, concurrency)
      return { name, concurrency }
    })
  }

  /** What the jobs of a queue allow of it in one process. */
  #boundOf(queue: string): number {
    const bounds = [...this.#definitions.values()].filter((job) => job.queue === queue).map((job) => job.perWorker)
    return Math.min(this.#concurrency, ...bounds.filter((bound) => bound !== undefined))
  }

  async open(): Promise<void> {
    const limits = new Map<string, JobLimit>()
    for (const { name, limit } of this.#definitions.values()) if (limit !== undefined) limits.set(name, limit)
    this.#consumer = await this.#engine.consume({
      queues: this.#queues,
      concurrency: this.#concurrency,
      limits,
      mostRunMs: () => this.#mostRunMs(),
      take: (job) => this.#outside(() => this.#take(job)),
      lost: (ids) => this.#end(ids, 'lost'),
      cancelled: (ids) => this.#end(ids, 'cancelled'),
      ended: (ids) => this.#onEnded?.(ids),
    })
    this.#loop.open()
    try {
      await this.#consumer.start()
      const known = new Map([...this.#definitions.values()].map(({ name, version }) => [name, version]))
      const unpark = (): Promise<number> =>
        this.#engine.unpark(
          this.#queues.map(({ name }) => name),
          known,
        )
      await unpark()
      // Who does not know them may park more: an older process beside this one, or another service. A failure is followed by the next look.
      this.#unparkTimer = setInterval(() => void unpark().catch(() => {}), unparkMs)
      this.#unparkTimer.unref()
    } catch (error) {
      // Nobody would have it to close.
      await this.close({ timeout: 0 })
      throw error
    }
  }

  close({ timeout = '10s' }: { readonly timeout?: Duration } = {}): Promise<void> {
    this.#closing ??= this.#close(parseDuration(timeout, 'timeout'))
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(timeoutMs: number): Promise<void> {
    const consumer = this.#consumer!
    clearInterval(this.#unparkTimer)
    await consumer.pause()
    const finished = this.#finished()
    if (!(await within(finished, timeoutMs))) {
      this.#end([...this.#running.keys()], 'released')
      // Those that heed their signal say so themselves; the others are handed back as they are.
      await within(finished, handBackMs)
    }
    await this.#sandboxes.close()
    await consumer.close()
    this.#loop.close()
  }

  #take(job: LeasedJob): void {
    const definition = this.#definitions.get(job.name)
    if (definition === undefined || job.version > definition.version) {
      const message =
        definition === undefined
          ? `No job '${job.name}' is known here.`
          : `Its input is of version ${job.version}; version ${definition.version} of the job '${job.name}' is known here.`
      const code: ErrorCode = 'PLIMSOLL_JOB_PARKED'
      void this.#settle(job, { state: 'parked', error: { name: 'UnknownJob', message, code } })
      return
    }
    const run = new Run({
      job,
      definition,
      progress: (progress) => this.#consumer!.progress(job, progress),
      sandboxes: this.#sandboxes,
    })
    this.#running.set(job.id, run)
    if (this.#latestEnd !== undefined) this.#latestEnd = Math.max(this.#latestEnd, run.until)
    this.#deadlines.began(run)
    void this.#run(run)
  }

  async #run(run: Run): Promise<void> {
    const { job, definition, beganAt } = run
    const { id, name, queue, attempt } = job
    try {
      if (events.hasSubscribers) {
        const waitedMs = Math.max(0, Date.now() - job.createdAt)
        events.publish({ type: 'job.start', id, name, queue, attempt, waitedMs })
      }
      const here = definition.sandbox === undefined
      if (here) this.#loop.began(run)
      const outcome = await (this.#tracer?.run(job, () => runJob(run)) ?? runJob(run))
      if (here) this.#loop.ended(run)
      const settled = await this.#settle(job, outcome)
      const failed = settled && outcome.state === 'failed'
      if (!failed && !events.hasSubscribers) return
      const error = 'error' in outcome ? { error: outcome.error.message } : {}
      const end = { outcome: settled ? outcome.state : 'lost', durationMs: performance.now() - beganAt } as const
      const ended = { type: 'job.end', id, name, queue, attempt, ...end, ...error } as const
      if (failed) publishNotice(ended)
      else events.publish(ended)
    } finally {
      this.#forget(run)
    }
  }

  #forget(run: Run): void {
    // One that has lost its lease may run here again by now.
    if (this.#running.get(run.job.id) === run) this.#running.delete(run.job.id)
    if (run.until === this.#latestEnd) this.#latestEnd = undefined
    if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Resolves when nothing runs. */
  async #finished(): Promise<void> {
    if (this.#running.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #settle(job: LeasedJob, outcome: Outcome): Promise<boolean> {
    const tell = (said: Outcome): Promise<boolean> => this.#consumer!.settle(job, said)
    if (job.step === undefined || this.#onOutcome === undefined) return tell(outcome)
    return this.#onOutcome(job, outcome).then(
      () => tell(outcome),
      () => tell({ state: 'released' }),
    )
  }

  #end(ids: readonly string[], why: RunEnd): void {
    for (const id of ids) this.#running.get(id)?.end(why)
  }

  /** Asked with every run that begins: what runs is gone through only when the one that may last longest has ended. */
  #mostRunMs(): number {
    if (this.#latestEnd === undefined) {
      this.#latestEnd = 0
      for (const { until } of this.#running.values()) this.#latestEnd = Math.max(this.#latestEnd, until)
    }
    return Math.max(0, this.#latestEnd - performance.now())
  }
}

/** How long runs that were told to stop may take to do so. */
const handBackMs = 1000

/** True when `work` is done in that time. */
async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  const done = await Promise.race([work.then(() => true), late])
  clearTimeout(timer)
  return done
}

function invalid(option: string, value: unknown): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `${option} of a worker is ${showValue(value)}; give a whole number from 1.`,
    {
      details: { option },
    },
  )
}
