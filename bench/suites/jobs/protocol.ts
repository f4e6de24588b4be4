import type { JobOpenOptions } from '../../contestants/jobs/contestant.ts'

/** What the coordinator asks a contestant's process. */
export type JobRequest =
  | {
      readonly type: 'open'
      readonly options: Omit<JobOpenOptions, 'onRun'>
    }
  /** Stores jobs that wait. */
  | { readonly type: 'fill'; readonly count: number }
  /** Stores jobs, `together` with each call, for so long. */
  | {
      readonly type: 'add'
      readonly together: number
      readonly inTransaction: boolean
      readonly durationMs: number
    }
  /** Runs jobs for so long from the first one on, and says what was {@link Drained}. What is left is removed. */
  | { readonly type: 'drain'; readonly durationMs: number }
  /** Enqueues one job after the other, each when the one before has begun. */
  | { readonly type: 'start-latency'; readonly durationMs: number }
  | { readonly type: 'clear' }
  | { readonly type: 'close' }

/** What one process has run of a backlog. */
export interface Drained {
  /** The jobs, by their `n`; one that ran twice is in it twice. */
  readonly ran: Float64Array
  /** When the first and the last one began, in milliseconds since 1970. */
  readonly first: number
  readonly last: number
  /** CPU time of the process, from the first one on. */
  readonly nodeCpuUs: number
}
