import { once } from 'node:events'
import { defineJob } from '../../src/jobs/define-job.ts'
import { anything } from '../drivers/anything.ts'

/** Longer than a lease, and than what takes it from a process that is silent. */
const blockedMs = 28_000

const inWorker = process.argv[1]?.endsWith('jobs-redis-worker.ts') === true

/** What has run in this process, in the order in which it began. */
export const began: string[] = []

/** In a worker process it waits for a word of the test. */
const waits = defineJob('waits', { input: anything<string>() }, async (input) => {
  began.push(input)
  if (inWorker) await once(process, 'message')
  return input
})

/** Runs until its signal aborts. */
const endless = defineJob('endless', { input: anything<string>() }, async (input, { signal }) => {
  began.push(input)
  await once(signal, 'abort')
})

/** Blocks the event loop. */
const blocks = defineJob('blocks', { input: anything<string>() }, (input) => {
  began.push(input)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockedMs)
  return input
})

/** Ends its process, if that is a worker's. */
const kills = defineJob('kills', { input: anything<string>() }, () => {
  if (inWorker) process.kill(process.pid, 'SIGKILL')
})

/** Takes a moment. */
const runs = defineJob('runs', { input: anything<string>() }, async (input) => {
  began.push(input)
  await new Promise((resolve) => setTimeout(resolve, 5))
  return input
})

export const faultJobs = { waits, endless, blocks, kills, runs }
