// Plimsoll as its documentation shows it, on each of its engines.
import { connect } from 'amqplib'
import { Redis } from 'ioredis'
import { createApp, defineJob } from 'plimsoll'
import type { JobWorker, Schema } from 'plimsoll/jobs'
import { relations } from '../../schema/tables.ts'
import type { JobInput, JobUrls, OpenJobContestant } from './contestant.ts'

/** Takes what it is given: the others check nothing either. */
const anyInput: Schema<JobInput> = {
  '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value: value as JobInput }) },
}

/** Removes every job while nobody works; `query` asks the database. */
type Empty = (queueUrl: string, query: (text: string) => Promise<readonly Record<string, string>[]>) => Promise<unknown>

function openPlimsoll(urlOf: (urls: JobUrls) => string, empty: Empty): OpenJobContestant {
  return async ({ urls, concurrency, onRun }) => {
    const noop = defineJob('noop', { input: anyInput }, async (input) => {
      await onRun(input)
    })
    const queueUrl = urlOf(urls)
    const secret = 'a secret for the bench'
    const app = await createApp({ relations, databaseUrl: urls.postgres, queueUrl, secret, jobs: [noop] })
    let worker: JobWorker | undefined
    return {
      add: (inputs) => (inputs.length === 1 ? noop.enqueue(inputs[0]!) : noop.enqueueMany(inputs)),
      addInTransaction: (inputs) => app.db.transaction(() => noop.enqueueMany(inputs)),
      start: async () => {
        worker = await app.jobs.work({ concurrency })
      },
      stop: async () => worker?.close(),
      clear: async () => {
        await empty(queueUrl, async (text) => (await app.postgres.client.query<Record<string, string>>(text)).rows)
      },
      close: () => app.close(),
    }
  }
}

export const openPlimsollDatabase = openPlimsoll(
  () => 'database:',
  (_, query) => query('truncate plimsoll.jobs'),
)

export const openPlimsollRedis = openPlimsoll(
  ({ redis }) => redis,
  async (url) => {
    const client = new Redis(url)
    await client.flushdb()
    client.disconnect()
  },
)

export const openPlimsollRabbitmq = openPlimsoll(
  ({ rabbitmq }) => rabbitmq,
  async (url, query) => {
    const [ledger] = await query('select name from plimsoll.job_ledger')
    const broker = await connect(url)
    const channel = await broker.createChannel()
    await channel.purgeQueue(`plimsoll.${ledger!['name']}.jobs.default`)
    await broker.close()
    await query('truncate plimsoll.jobs')
  },
)
