import type { JobOpenOptions } from '../../contestants/jobs/contestant.ts'

/** What the coordinator asks a contestant's process. */
export type JobRequest =
  | {
      readonly type: 'open'
      readonly options: Omit<JobOpenOptions, 'onRun'>
      /** How long each job takes, in milliseconds; 0 for one that does nothing. */
      readonly workMs: number
    }
  /** Stores jobs that wait. */
  | { readonly type: 'fill'; readonly count: number }
  /** Stores jobs in transactions, for so long. */
  | { readonly type: 'add'; readonly perTransaction: number; readonly durationMs: number }
  /** Runs jobs for so long from the first one on; what is left is removed. */
  | { readonly type: 'drain'; readonly durationMs: number }
  /** Enqueues one job after the other, each when the one before has begun. */
  | { readonly type: 'start-latency'; readonly durationMs: number }
  | { readonly type: 'clear' }
  | { readonly type: 'close' }
