// A process that is killed when its jobs are stored and the broker has none of them.
import { observe } from '../../src/core/events.ts'
import { rabbitmqEngine } from '../../src/jobs/drivers/rabbitmq/rabbitmq-engine.ts'
import { defineJob, openJobs } from '../../src/jobs/index.ts'
import { openPostgres } from '../../src/postgres/index.ts'
import { anything } from '../drivers/anything.ts'

const { DATABASE_URL: url = '', QUEUE_URL: queueUrl = '' } = process.env
const postgres = await openPostgres({ url })
const engine = await rabbitmqEngine({ url: queueUrl, postgres })
const work = defineJob('work', { input: anything<{ ms: number }>() }, () => {})
const jobs = openJobs({ postgres, engine, jobs: [work] })
observe((event) => {
  if (event.type === 'statement' && event.text.startsWith('insert into plimsoll.jobs'))
    process.kill(process.pid, 'SIGKILL')
})
await jobs.enqueueMany(work, [{ ms: 1 }, { ms: 1 }, { ms: 1 }])
