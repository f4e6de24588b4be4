import type { ErrorCode } from '../../core/error-codes.ts'
import { mostDeaths, type JobFailure } from '../contract.ts'

const code: ErrorCode = 'PLIMSOLL_JOB_QUARANTINED'
const failure: JobFailure = { name: 'WorkerDied', message: `${mostDeaths} workers have died while they ran it.`, code }

/** What is said of a job in quarantine, as JSON. */
export const workerDied: string = JSON.stringify(failure)
