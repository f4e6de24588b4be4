import type { JobProgress } from '../../contract.ts'
import type { DeliveredJob } from './shelf.ts'

/** A run of what was delivered. */
export interface ExpressRun extends DeliveredJob {
  readonly beganAt: number
  /** Whether it is in the books by now, and ours. */
  adoption: Promise<boolean> | undefined
  progress: JobProgress | undefined
}

/** Begins with what was delivered. */
export function toRun({ job, message, arrivedAt }: DeliveredJob, beganAt: number): ExpressRun {
  return { job, message, arrivedAt, beganAt, adoption: undefined, progress: undefined }
}
