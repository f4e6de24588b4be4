import type { JobProgress, LeasedJob } from '../contract.ts'
import type { JobLogLine } from '../worker/job-context.ts'
import type { WireError } from './wire-error.ts'

/** Its last words when it holds more than it may, written to stderr: nothing else can speak while a job blocks the loop. */
export const heldTooMuch = 'This sandbox holds more memory than it may, Buffers and native code included.'

/** What the process of a sandbox is told. */
export type SandboxOrder =
  /** `module` is the URL of the module that exports the job. */
  | { readonly type: 'run'; readonly job: LeasedJob; readonly module: string }
  | { readonly type: 'abort'; readonly reason: WireError }

/** What it tells. */
export type SandboxNews =
  /** It has been told to run: whatever ends it from here on may be the job's doing. */
  | { readonly type: 'began' }
  | { readonly type: 'progress'; readonly progress: JobProgress }
  | { readonly type: 'log'; readonly line: JobLogLine }
  /** `output` is JSON. */
  | { readonly type: 'done'; readonly output: string | undefined; readonly heldBytes: number }
  /** `spent`: the process cannot run the job, and another one may. */
  | { readonly type: 'failed'; readonly error: WireError; readonly heldBytes: number; readonly spent: boolean }
  /** An error that nobody caught ends the process. */
  | { readonly type: 'crash'; readonly error: WireError }
