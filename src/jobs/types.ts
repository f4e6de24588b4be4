import type { Duration } from '../core/duration.ts'
import type { Size } from '../core/size.ts'
import type {
  JobFailure,
  JobFilter,
  JobProgress,
  JobRecord,
  JobState,
  LeasedJob,
  Outcome,
  QueueCount,
} from './contract.ts'
import type { InputOf, Schema } from './standard-schema.ts'
import type { Flow, FlowHandle, StartArguments } from './workflow/types.ts'

/** The options of a job. */
export interface JobOptions<I extends Schema, O extends Schema | undefined = undefined> {
  /** Checks the input where it is enqueued, and again before it runs. */
  readonly input: I
  /** Checks what the handler returns. */
  readonly output?: O
  /** The version of the input's form; raise it when the form changes. Default 1. */
  readonly version?: number | undefined
  /** Brings an input of an older version, from JSON, into the form of this one. Without it the older one is taken as it is. */
  readonly upgrade?: ((input: unknown, version: number) => unknown) | undefined
  /** Default `'default'`. */
  readonly queue?: string | undefined
  /** Higher ones of its queue first, from -100 to 100; the queues of a worker take turns. Default 0. */
  readonly priority?: number | undefined
  /** How long one run may take before its signal aborts. Default 10 minutes. */
  readonly timeout?: Duration | undefined
  readonly retry?: RetryOptions | false | undefined
  /** While a job with the same key waits or runs, another one is not enqueued; while one is being cancelled, another one is, and waits for its end. */
  readonly unique?: UniqueOptions<InputOf<I>> | undefined
  /** How many of them run at a time, in all processes. Default: no bound. */
  readonly concurrency?: number | undefined
  /** How many jobs of its queue run at a time in one process, where `work` does not say. Default: no bound. */
  readonly perWorker?: number | undefined
  /**
   * How many of them begin in a time, in all processes: a token bucket, of which up to `count` begin at once, then one each `per / count`.
   * After a pause nearly twice `count` can begin within one `per`; for a quota that must never be passed give half of it. Default: no bound.
   */
  readonly rateLimit?: { readonly count: number; readonly per: Duration } | undefined
  /** Runs it in a process of its own. `true`: of the module that calls `defineJob`, which has to export it. Default: in the worker's. */
  readonly sandbox?: SandboxOptions | boolean | undefined
  /** How long what came of it is kept once it is done. Default `'1h'`. */
  readonly keep?: Duration | undefined
  /** How long it is kept once it has failed for good. Default `'14d'`. */
  readonly keepFailed?: Duration | undefined
}

export interface RetryOptions {
  /** How often it is run at most. Default 5. */
  readonly attempts?: number | undefined
  /** The time before the second attempt; it doubles with each, and half of it is random. Default `'1s'`, or `most` when that is shorter. */
  readonly first?: Duration | undefined
  /** The longest time between two attempts, no less than `first`. Default `'10m'`, or `first` when that is longer. */
  readonly most?: Duration | undefined
  /** Says of an error whether another attempt can help, or when. Default: `error.retryable`, `error.retryAfter`. */
  readonly when?: ((error: unknown, attempt: number) => boolean | { readonly after: Duration }) | undefined
}

export interface UniqueOptions<Input> {
  /**
   * Made of the input as it was given to `enqueue`: the defaults of its schema are not filled in. Default: the whole of that, in whatever
   * order the keys of its objects are.
   */
  readonly key?: ((input: Input) => string) | undefined
  /** Until its run begins, or until it has ended. Default `'ended'`. */
  readonly until?: 'started' | 'ended' | undefined
  /** For a time from when it was enqueued, whatever becomes of it, instead of `until`. */
  readonly window?: Duration | undefined
}

export interface SandboxOptions {
  /** The module that exports the job: `import.meta.url`. The process imports it. */
  readonly module: string
  /** How much it may hold, on the heap, in Buffers and in native code, at least 32 MB. Default `'512MB'`. */
  readonly memory?: Size | undefined
}

/** When and how one job is enqueued. */
export interface EnqueueOptions {
  /** Not before so long from now. */
  readonly delay?: Duration | undefined
  /** Not before this moment. */
  readonly at?: Date | undefined
  readonly priority?: number | undefined
  readonly queue?: string | undefined
  /** Whose it is: the tenants of a queue take turns, however many jobs each has. */
  readonly tenant?: string | undefined
  /** Nothing is enqueued while another job holds the key; see {@link UniqueOptions}. */
  readonly unique?:
    | string
    | { readonly key: string; readonly until?: 'started' | 'ended'; readonly window?: Duration }
    | undefined
  /** Runs once, so long after the last call with the key, with the input of that. */
  readonly debounce?: { readonly key: string; readonly wait: Duration } | undefined
  /** Enqueues at most one job with the key in a time; the others are dropped. */
  readonly throttle?: { readonly key: string; readonly per: Duration } | undefined
  /** Who may see it over HTTP. */
  readonly owner?: string | undefined
}

/** What a handler is given beside its input. */
export interface JobContext {
  readonly id: string
  readonly name: string
  /** From 1. */
  readonly attempt: number
  readonly tenant: string
  /** The same for every run of this job: what it is sent along with, an effect happens once. */
  readonly idempotencyKey: string
  /** Aborts when the job is cancelled, runs out of time, or is handed back because its worker ends. */
  readonly signal: AbortSignal
  /** Shows how far it is. Of a note the first 1000 characters are kept. */
  progress(done: number, total?: number, note?: string): void
  /** Hands the event loop back, in long stretches of work; rejects once the signal has aborted. */
  heartbeat(): Promise<void>
  readonly log: JobLog
}

export interface JobLog {
  info(message: string, details?: Readonly<Record<string, unknown>>): void
  warn(message: string, details?: Readonly<Record<string, unknown>>): void
  error(message: string, details?: Readonly<Record<string, unknown>>): void
}

export type JobHandler<Input, Output> = (input: Input, context: JobContext) => Output | Promise<Output>

/** A job that was defined. */
export interface Job<Input = any, Output = any> {
  readonly name: string
  /**
   * Stores it; inside `db.transaction` it exists if and only if that commits. Needs an application that knows the job:
   * `createApp({ jobs: [job] })`.
   *
   * @throws PLIMSOLL_JOB_INPUT_INVALID, PLIMSOLL_JOB_UNBOUND, PLIMSOLL_OPTION_INVALID
   */
  enqueue(input: Input, options?: EnqueueOptions): Promise<JobHandle<Output>>
  /** As `enqueue`, for many: all of them or none. */
  enqueueMany(inputs: readonly Input[], options?: EnqueueOptions): Promise<readonly JobHandle<Output>[]>
  /** A step of a workflow that takes what the step before gives: see `chain`, `group`, and {@link Jobs.start}. */
  step(): Flow<Input, Output>
  /** A step of a workflow that has its input already. */
  step(input: Input): Flow<unknown, Output>
}

/** A job that was enqueued. */
export interface JobHandle<Output = unknown> {
  readonly id: string
  /** True when nothing was enqueued, because another job holds its key: the handle is of that one. */
  readonly duplicate: boolean
  /**
   * Resolves to what its handler has returned, as JSON gives it back.
   *
   * @throws PLIMSOLL_JOB_FAILED when it has failed for good, with what it failed of as the `cause`; PLIMSOLL_JOB_CANCELLED when it was
   *   cancelled; PLIMSOLL_JOB_UNKNOWN when it is not kept any more;
   *   PLIMSOLL_JOB_TIMEOUT when it has not ended within `timeout` (default: no limit); PLIMSOLL_JOBS_CLOSED when the jobs of this process
   *   are closed before; PLIMSOLL_JOB_IN_TRANSACTION when the caller runs in a transaction
   */
  result(options?: { readonly timeout?: Duration; readonly signal?: AbortSignal }): Promise<Output>
  status(): Promise<JobStatus | undefined>
  /**
   * Its status now, and again when that has changed, until it has ended; who reads slowly is given the latest only.
   *
   * @throws PLIMSOLL_JOBS_CLOSED when the jobs of this process are closed before
   */
  watch(options?: { readonly signal?: AbortSignal }): AsyncIterable<JobStatus>
  /** Ends it; false when it has ended already. */
  cancel(): Promise<boolean>
}

/** What is known of a job. */
export interface JobStatus extends Omit<JobRecord, 'input' | 'output' | 'step'> {
  readonly input: unknown
  readonly output: unknown
}

export interface WorkOptions {
  /** Default: all queues of the jobs that are known, without a bound but the `perWorker` of their jobs. */
  readonly queues?: readonly (string | { readonly name: string; readonly concurrency: number })[] | undefined
  /** How many jobs run at a time. Default 20. */
  readonly concurrency?: number | undefined
}

/** A worker in this process. */
export interface JobWorker extends AsyncDisposable {
  /** Takes no more jobs, and waits for those that run; after `timeout` (default `'10s'`) they are handed back. */
  close(options?: { readonly timeout?: Duration }): Promise<void>
}

/** Makes spans of jobs, and gives them their trace to carry. */
export interface JobTracer {
  /** Stores jobs within a span; `trace` is what they carry, a W3C traceparent, or undefined outside any trace. */
  enqueue<T>(
    jobs: { readonly name: string; readonly queue: string; readonly count: number },
    store: (trace: string | undefined) => Promise<T>,
  ): Promise<T>
  /** Runs a job within a span that is linked to the one it was enqueued in. */
  run(job: LeasedJob, run: () => Promise<Outcome>): Promise<Outcome>
}

/** The jobs of an application. */
export interface Jobs extends AsyncDisposable {
  enqueue<I, O>(job: Job<I, O>, input: I, options?: EnqueueOptions): Promise<JobHandle<O>>
  enqueueMany<I, O>(job: Job<I, O>, inputs: readonly I[], options?: EnqueueOptions): Promise<readonly JobHandle<O>[]>
  handle<O = unknown>(id: string): JobHandle<O>
  /**
   * Starts a workflow; inside `db.transaction` it exists if and only if that commits.
   *
   * @throws PLIMSOLL_JOB_INPUT_INVALID, PLIMSOLL_OPTION_INVALID
   * @example
   * const flow = await app.jobs.start(chain(fetchPage.step({ url }), extractText.step()))
   * console.log(await flow.result())
   */
  start<In, O>(flow: Flow<In, O>, ...options: StartArguments<In>): Promise<FlowHandle<O>>
  /** A workflow that was started, here or elsewhere. */
  flow<O = unknown>(id: string): FlowHandle<O>
  /** Begins to run jobs in this process. */
  work(options?: WorkOptions): Promise<JobWorker>
  /** Jobs that have failed for good, are parked or in quarantine; the newest first. */
  list(filter?: JobFilter, page?: { readonly size?: number; readonly after?: string }): Promise<readonly JobStatus[]>
  /** Puts such jobs back to their queues, with all their attempts. */
  redrive(filter: JobFilter): Promise<number>
  cancel(...ids: string[]): Promise<number>
  counts(): Promise<readonly QueueCount[]>
  /** How many jobs have not ended, or are stuck; cheap, and an estimate where there are more than 10,000 of a kind. */
  depths(): Promise<readonly QueueCount[]>
  /** Closes the workers of this process, as {@link JobWorker.close} does, and the engine. */
  close(options?: { readonly timeout?: Duration }): Promise<void>
}

export type { JobFailure, JobFilter, JobProgress, JobState, QueueCount, Schema }
