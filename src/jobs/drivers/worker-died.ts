import { mostDeaths, type JobFailure } from '../contract.ts'

const failure: JobFailure = { name: 'WorkerDied', message: `${mostDeaths} workers have died while they ran it.` }

/** What is said of a job in quarantine, as JSON. */
export const workerDied: string = JSON.stringify(failure)
