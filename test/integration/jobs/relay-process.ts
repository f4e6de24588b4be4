// A process that commits a job, and gets as far as the test wants it to before it is killed.
import { openJobRelay } from '../../../src/app/job-relay.ts'
import { redisEngine } from '../../../src/jobs/drivers/redis/redis-engine.ts'
import { openJobs } from '../../../src/jobs/index.ts'
import { openPostgres } from '../../../src/postgres/index.ts'
import { relayedJob } from './relayed-job.ts'

const [databaseUrl, redisUrl, stage] = process.argv.slice(2)
const postgres = await openPostgres({ url: databaseUrl! })
const engine = await redisEngine({ url: redisUrl! })
const { add } = engine
engine.add = async (jobs) => {
  if (stage === 'published') await add.call(engine, jobs)
  process.send?.({ id: jobs[0]!.id })
  return new Promise(() => {})
}
const jobs = openJobs({ postgres, jobs: [relayedJob], ...(await openJobRelay(postgres, engine)) })
await postgres.transaction(() => jobs.enqueue(relayedJob, 'of the killed'))
