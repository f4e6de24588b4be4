// A process that is killed while it hands jobs of a transaction on: before the broker has them, or right after.
import { openJobRelay } from '../../src/app/job-relay.ts'
import { rabbitmqEngine } from '../../src/jobs/drivers/rabbitmq/rabbitmq-engine.ts'
import { defineJob, openJobs } from '../../src/jobs/index.ts'
import { openPostgres } from '../../src/postgres/index.ts'
import { anything } from '../drivers/anything.ts'

const { DATABASE_URL: url = '', QUEUE_URL: queueUrl = '', DIES: dies } = process.env
const postgres = await openPostgres({ url })
const engine = await rabbitmqEngine({ url: queueUrl, postgres })
const add = engine.add.bind(engine)
engine.add = async (jobs) => {
  if (dies === 'after') await add(jobs)
  process.kill(process.pid, 'SIGKILL')
  return []
}
const work = defineJob('work', { input: anything<{ ms: number }>() }, () => {})
const jobs = openJobs({ postgres, jobs: [work], ...(await openJobRelay(postgres, engine)) })
await postgres.transaction(() => jobs.enqueueMany(work, [{ ms: 1 }, { ms: 1 }, { ms: 1 }]))
