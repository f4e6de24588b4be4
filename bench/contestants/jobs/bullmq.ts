import { Queue, Worker } from 'bullmq'
import type { JobInput, OpenJobContestant } from './contestant.ts'

const name = 'noop'

export const openBullmq: OpenJobContestant = async ({ urls, concurrency, onRun }) => {
  const { hostname, port, pathname } = new URL(urls.redis)
  const connection = { host: hostname, port: Number(port), db: Number(pathname.slice(1)), maxRetriesPerRequest: null }
  const options = { removeOnComplete: true }
  const queue = new Queue<JobInput>(name, { connection, defaultJobOptions: options })
  await queue.waitUntilReady()
  let worker: { close(): Promise<void> } | undefined
  return {
    add: (inputs) =>
      inputs.length === 1 ? queue.add(name, inputs[0]!) : queue.addBulk(inputs.map((data) => ({ name, data }))),
    start: async () => {
      const started = new Worker<JobInput>(name, async ({ data }) => onRun(data), { connection, concurrency })
      await started.waitUntilReady()
      worker = started
    },
    stop: async () => worker?.close(),
    clear: () => queue.obliterate({ force: true }),
    close: () => queue.close(),
  }
}
