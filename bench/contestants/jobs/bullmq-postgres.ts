import { createPostgresBackend, Queue, Worker } from 'bullmq'
import type { JobInput, OpenJobContestant } from './contestant.ts'

const name = 'noop'

export const openBullmqPostgres: OpenJobContestant = async ({ urls, concurrency, onRun }) => {
  const connection = { connectionString: urls.postgres, max: 10, migrate: true }
  const options = { removeOnComplete: true }
  const queue = new Queue<JobInput>(name, { connection, defaultJobOptions: options }, createPostgresBackend)
  await queue.waitUntilReady()
  let worker: { close(): Promise<void> } | undefined
  return {
    add: (inputs) =>
      inputs.length === 1 ? queue.add(name, inputs[0]!) : queue.addBulk(inputs.map((data) => ({ name, data }))),
    start: async () => {
      const run = async ({ data }: { data: JobInput }): Promise<void> => onRun(data)
      const started = new Worker<JobInput>(name, run, { connection, concurrency }, createPostgresBackend)
      await started.waitUntilReady()
      worker = started
    },
    stop: async () => worker?.close(),
    clear: () => queue.obliterate({ force: true }),
    close: () => queue.close(),
  }
}
