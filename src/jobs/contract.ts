import type { Transaction } from '../postgres/index.ts'

/**
 * What an engine of background jobs promises. The words: a *job* is a piece of work under an id of ours; a *run* is one attempt at
 * it, by one worker process; a *lease* is the right to run it, which ends with its process; `settle` says what came of a run.
 *
 * - What `add` has acknowledged is never lost, and is run at least once.
 * - A run that has lost its lease cannot settle: somebody else may run the job by then.
 * - A failure counts as an attempt; the death of a worker does not, and is counted apart.
 */
export interface JobEngine extends AsyncDisposable {
  readonly engine: 'database' | 'redis' | 'rabbitmq'
  readonly features: JobEngineFeatures

  /**
   * Stores jobs, all of them or none. `within`: in that transaction, if the engine is transactional. A job whose `unique` key
   * another one holds is not stored; its place in the answer is the other one's.
   *
   * @throws PLIMSOLL_JOBS_UNREACHABLE
   */
  add(jobs: readonly NewJob[], within?: Transaction): Promise<readonly AddedJob[]>

  /** Gets ready to take jobs off queues. */
  consume(options: ConsumeOptions): Promise<Consumer>

  /** What is known of a job; undefined when it is unknown, or was forgotten since. */
  find(id: string): Promise<JobRecord | undefined>

  /** Resolves when the job has ended, or at the time-out; a look at it again and again is not needed. */
  settled(id: string, options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined }): Promise<void>

  /**
   * Calls `heard` when something about a job has changed, until the returned function is called: it began, came further, is tried
   * again, has ended. What is lost on the way is not told again. Of an engine without it, jobs are looked at every second.
   */
  watch?(id: string, heard: () => void): () => void

  /** Jobs that have failed for good, are parked or in quarantine; the newest first. */
  list(
    filter: JobFilter,
    page: { readonly size: number; readonly after?: string | undefined },
  ): Promise<readonly JobRecord[]>

  /**
   * Ends jobs that have not, also those that are running: their signals abort. A unique key that one holds until it has ended is free at
   * once; what is stored under that of a run begins when the run has ended, and not before. Resolves to how many it were.
   */
  cancel(ids: readonly string[]): Promise<number>

  /**
   * Puts failed, parked or quarantined jobs back to their queues, with all their attempts; cancelled ones too when `states` names
   * them, others never. They hold no unique key any more. Resolves to how many it were.
   */
  redrive(filter: JobFilter): Promise<number>

  /**
   * Puts parked jobs back to their queues, of these queues, that a worker of them knows: by their names, up to a version. Resolves to how
   * many it were. It is asked every few seconds, and costs next to nothing when there are none.
   */
  unpark(queues: readonly string[], known: ReadonlyMap<string, number>): Promise<number>

  /** How many jobs there are, by queue and state. */
  counts(): Promise<readonly QueueCount[]>

  /**
   * How many jobs have not ended, or are stuck, by queue and state: cheap however many there are, since from {@link mostCounted} of one
   * kind on it is an estimate. An engine without it counts.
   */
  depths?(): Promise<readonly QueueCount[]>

  close(): Promise<void>
}

export interface JobEngineFeatures {
  /** `add` can be part of a transaction; else jobs are relayed to the engine when it has committed. */
  readonly transactional: boolean
}

export type JobState =
  /** Ready to run. */
  | 'waiting'
  /** Its time has not come: it was delayed, or is tried again later. */
  | 'delayed'
  | 'active'
  | 'done'
  /** Failed for good: a dead letter. */
  | 'failed'
  | 'cancelled'
  /** No worker knows the job, or its version of the input. It waits for one that does. */
  | 'parked'
  /** Its workers have died of it. */
  | 'quarantined'

/** A job as it is stored. */
export interface NewJob {
  /** A UUID of version 7 (RFC 9562). A second `add` of the same id stores nothing. */
  readonly id: string
  readonly name: string
  /** The version of its input. */
  readonly version: number
  readonly queue: string
  /** Higher ones of its queue first, from -100 to 100; the queues of a worker take turns. */
  readonly priority: number
  /** Whose it is; the tenants of a queue take turns. Empty for nobody's. */
  readonly tenant: string
  /** JSON. */
  readonly input: string
  /** How long it waits before it may run. */
  readonly delayMs: number
  /**
   * The moment before which it may not run, in epoch milliseconds by the engine's clock. `delayMs` is then what is left of it by the clock
   * of this process, for engines that keep no time.
   */
  readonly at?: number | undefined
  readonly unique: UniqueKey | undefined
  /** What it shares its bounds on concurrency and rate with: its name, when it has such bounds. */
  readonly limit: string | undefined
  /** Who may see it over HTTP. */
  readonly owner: string | undefined
  /** The trace context it was enqueued in, as a W3C traceparent. */
  readonly trace: string | undefined
  /** The step of a workflow that it is. */
  readonly step: string | undefined
  /**
   * True when a relay hands it on, which may do so again later: its id is to be remembered for a day after its end, or stands for a day for
   * the job that holds its key. Default false.
   */
  readonly relayed?: boolean | undefined
}

/** While somebody holds the key, no other job with it is stored. */
export interface UniqueKey {
  readonly key: string
  /** Until its run begins, until it has ended, or for a time from now, whatever becomes of it. */
  readonly until: 'started' | 'ended' | { readonly windowMs: number }
  /** True puts the new input and time into the job that holds the key and still waits for its time. */
  readonly replace: boolean
}

export interface AddedJob {
  readonly id: string
  /** True when nothing was stored: the id is that of the job that was there. */
  readonly duplicate: boolean
}

/** A job that this process may run now. */
export interface LeasedJob {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly queue: string
  readonly tenant: string
  readonly input: string
  /** From 1; failures before this one and this one. */
  readonly attempt: number
  /** How often its worker has died. */
  readonly deaths: number
  readonly owner: string | undefined
  readonly trace: string | undefined
  readonly step: string | undefined
  /** Epoch milliseconds by the engine's clock. */
  readonly createdAt: number
}

/** What came of a run. */
export type Outcome =
  /** `output` is JSON. */
  | { readonly state: 'done'; readonly output: string | undefined; readonly keepMs: number }
  | { readonly state: 'retry'; readonly delayMs: number; readonly error: JobFailure }
  | { readonly state: 'failed'; readonly error: JobFailure; readonly keepMs: number }
  | { readonly state: 'parked'; readonly error: JobFailure }
  | { readonly state: 'cancelled'; readonly keepMs: number }
  /** Handed back: it is as if the run had never begun. */
  | { readonly state: 'released' }

/** What a job failed of. */
export interface JobFailure {
  readonly name: string
  readonly message: string
  readonly stack?: string | undefined
  readonly code?: string | undefined
}

export interface ConsumeOptions {
  readonly queues: readonly { readonly name: string; readonly concurrency: number }[]
  /** How many runs at a time, of all queues. */
  readonly concurrency: number
  /** Bounds of jobs by their `limit`. */
  readonly limits: ReadonlyMap<string, JobLimit>
  /** How long what runs now may still run, in milliseconds: a loop that is silent for longer has gone astray. */
  readonly mostRunMs: () => number
  /** Called for each job that was taken; it is running from now on. */
  readonly take: (job: LeasedJob) => void
  /** The leases of these runs are lost; somebody else may run them already. */
  readonly lost: (ids: readonly string[]) => void
  /** These running jobs were cancelled. */
  readonly cancelled: (ids: readonly string[]) => void
  /** These jobs, of whatever process, have ended with the death of their worker: they are in quarantine, or were cancelled. */
  readonly ended: (ids: readonly string[]) => void
}

export interface JobLimit {
  /** How many of them run at a time, in all processes. */
  readonly concurrency?: number | undefined
  /** How many of them begin in a time, in all processes: a token bucket that holds `count` and is full at first. */
  readonly rate?: { readonly count: number; readonly perMs: number } | undefined
}

/** A worker process, as the engine sees it. */
export interface Consumer {
  /** Begins to take jobs. */
  start(): Promise<void>
  /** Says what came of a run. Resolves to false when its lease was lost: then it has not been said. */
  settle(job: LeasedJob, outcome: Outcome): Promise<boolean>
  /** Shows how far a run is. Not waited for by anybody, and not all of them are stored; the last one is, with what comes of the run. */
  progress(job: LeasedJob, progress: JobProgress): void
  /** Takes no more jobs. */
  pause(): Promise<void>
  /** Ends; what has not been settled is handed back. */
  close(): Promise<void>
}

export interface JobProgress {
  readonly done: number
  readonly total: number | undefined
  readonly note: string | undefined
}

/** Which jobs; all parts that are given must fit. */
export interface JobFilter {
  readonly ids?: readonly string[] | undefined
  readonly states?: readonly JobState[] | undefined
  readonly names?: readonly string[] | undefined
  readonly queue?: string | undefined
  readonly tenant?: string | undefined
}

/** What is known of a job. Times are epoch milliseconds by the engine's clock. */
export interface JobRecord {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly queue: string
  readonly tenant: string
  readonly state: JobState
  readonly attempts: number
  readonly deaths: number
  /** JSON. */
  readonly input: string
  readonly output: string | undefined
  readonly error: JobFailure | undefined
  readonly progress: JobProgress | undefined
  readonly owner: string | undefined
  /** The step of a workflow that it is. */
  readonly step: string | undefined
  readonly createdAt: number
  readonly startedAt: number | undefined
  readonly endedAt: number | undefined
  /** When it may run, while it is delayed. */
  readonly dueAt: number | undefined
}

export interface QueueCount {
  readonly queue: string
  readonly state: JobState
  readonly count: number
}

/** The states in which nothing more becomes of a job by itself. */
export const endStates: ReadonlySet<JobState> = new Set<JobState>(['done', 'failed', 'cancelled', 'quarantined'])

/** Nothing waits, or holds a key, for longer, in milliseconds: 95 years, whatever somebody has come to. Every engine can tell such a time. */
export const longestMs = 3e12

/** Up to so many jobs of a kind are counted one by one. */
export const mostCounted = 10_000

/** A job is put in quarantine when so many of its workers have died. */
export const mostDeaths = 3
