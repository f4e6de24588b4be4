/** Where the servers are. */
export interface JobUrls {
  readonly postgres: string
  readonly redis: string
  readonly rabbitmq: string
}

export interface JobOpenOptions {
  readonly urls: JobUrls
  /** How many jobs run at a time. */
  readonly concurrency: number
  /** True lets the library take and acknowledge many jobs with one command, if it can be told to. */
  readonly batched: boolean
  /** How long each job takes, in milliseconds, for jobs that run elsewhere; `onRun` takes that long by itself. */
  readonly workMs: number
  /** Called when a job begins to run. */
  readonly onRun: (input: JobInput) => void | Promise<void>
}

/** What every job carries. */
export interface JobInput {
  readonly n: number
  /** `performance.timeOrigin + performance.now()` of when it was enqueued. */
  readonly at: number
}

/** One library for background jobs that has been opened. */
export interface JobContestant {
  /** Stores jobs, all of them with as few commands as the library can. */
  add(inputs: readonly JobInput[]): Promise<unknown>
  /** Stores jobs in one transaction of the application's database. Absent where that cannot be. */
  addInTransaction?(inputs: readonly JobInput[]): Promise<unknown>
  /** Begins to run jobs. */
  start(): Promise<void>
  /** Takes no more, and waits for those that run. */
  stop(): Promise<void>
  /** Removes every job. */
  clear(): Promise<void>
  close(): Promise<void>
}

export type OpenJobContestant = (options: JobOpenOptions) => Promise<JobContestant>
