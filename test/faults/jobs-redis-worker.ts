// A worker process that the tests kill, stop, or block.
import { flushCompileCache } from 'node:module'
import { observe } from '../../src/core/events.ts'
import type { JobDefinition } from '../../src/jobs/define-job.ts'
import { redisEngine } from '../../src/jobs/drivers/redis/redis-engine.ts'
import { openWorker } from '../../src/jobs/worker/open-worker.ts'
import { faultJobs } from './jobs-redis-jobs.ts'

const [redisUrl, queue] = process.argv.slice(2)
observe((event) => {
  if (event.type === 'job.start' || event.type === 'job.end') process.send?.(event)
})
const definitions = new Map(Object.values(faultJobs).map((job) => [job.name, job as JobDefinition]))
const engine = await redisEngine({ url: redisUrl! })
await openWorker({ engine, definitions }, { queues: [queue!], concurrency: 10 })
// What it has compiled is there for the next one: it is killed, and would not come to keep it.
flushCompileCache()
