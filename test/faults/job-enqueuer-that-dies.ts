import { observe } from '../../src/core/events.ts'
import { databaseEngine } from '../../src/jobs/drivers/database/database-engine.ts'
import { defineJob, openJobs } from '../../src/jobs/index.ts'
import { openPostgres } from '../../src/postgres/index.ts'
import { anything } from '../drivers/anything.ts'

// A process that is killed when its jobs are committed and nobody has been told.
const postgres = await openPostgres({ url: process.env['DATABASE_URL']! })
const work = defineJob('work', { input: anything<{ ms: number }>() }, () => {})
const jobs = openJobs({ postgres, engine: await databaseEngine({ postgres }), jobs: [work] })
observe((event) => {
  if (event.type === 'transaction' && event.outcome === 'commit') process.kill(process.pid, 'SIGKILL')
})
await postgres.transaction(() => jobs.enqueueMany(work, [{ ms: 1 }, { ms: 1 }]))
