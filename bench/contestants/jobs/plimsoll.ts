// Plimsoll as its documentation shows it, on the database.
import { createApp, defineJob } from 'plimsoll'
import type { JobWorker, Schema } from 'plimsoll/jobs'
import { relations } from '../../schema/tables.ts'
import type { JobInput, OpenJobContestant } from './contestant.ts'

/** Takes what it is given: the others check nothing either. */
const anyInput: Schema<JobInput> = {
  '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value: value as JobInput }) },
}

export const openPlimsollDatabase: OpenJobContestant = async ({ urls, concurrency, onRun }) => {
  const noop = defineJob('noop', { input: anyInput }, async (input) => {
    await onRun(input)
  })
  const app = await createApp({ relations, databaseUrl: urls.postgres, secret: 'a secret for the bench', jobs: [noop] })
  let worker: JobWorker | undefined
  return {
    add: (inputs) => (inputs.length === 1 ? noop.enqueue(inputs[0]!) : noop.enqueueMany(inputs)),
    addInTransaction: (inputs) => app.db.transaction(() => noop.enqueueMany(inputs)),
    start: async () => {
      worker = await app.jobs.work({ concurrency })
    },
    stop: async () => worker?.close(),
    clear: async () => {
      await app.postgres.client.query('truncate plimsoll.jobs')
    },
    close: () => app.close(),
  }
}
