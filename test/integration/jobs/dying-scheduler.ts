// A process that has locked a schedule that is due, and never comes to enqueue its job: the test kills it when it says so.
import { databaseEngine } from '../../../src/jobs/drivers/database/database-engine.ts'
import { defineJob, openJobs, type Schema } from '../../../src/jobs/index.ts'
import { openPostgres } from '../../../src/postgres/index.ts'
import { hourly } from './scheduled-job.ts'

const endless: Schema<string> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: () => {
      process.send?.('locked')
      return new Promise(() => {})
    },
  },
}
const noteTime = defineJob('note-time', { input: endless }, async () => {})
const postgres = await openPostgres({ url: process.argv[2]! })
const engine = await databaseEngine({ postgres })
const schedule = hourly((at) => at.toISOString(), noteTime)
await openJobs({ postgres, engine, jobs: [noteTime], schedules: [schedule] }).work()
// Nothing else would keep it alive.
setInterval(() => {}, 60_000)
