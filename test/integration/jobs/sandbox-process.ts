// A process with sandboxes of its own: `worker FOLDER DATABASE` runs jobs until it is killed, `idle FILE` ends by itself after one job.
import { join } from 'node:path'
import { isJob, type JobDefinition } from '../../../src/jobs/define-job.ts'
import { databaseEngine } from '../../../src/jobs/drivers/database/database-engine.ts'
import { openJobs } from '../../../src/jobs/index.ts'
import { Sandboxes } from '../../../src/jobs/sandbox/sandboxes.ts'
import { Run } from '../../../src/jobs/worker/run-job.ts'
import { openPostgres } from '../../../src/postgres/index.ts'
import { allJobs, blocking, quick, waiting, writing } from './sandbox-jobs.ts'

const [mode, folder = '', databaseUrl = ''] = process.argv.slice(2)
// Sandboxes keep no process alive; while one works, this does.
const alive = setInterval(() => {}, 1000)

if (mode === 'worker') {
  const postgres = await openPostgres({ url: databaseUrl })
  const engine = await databaseEngine({ postgres })
  const jobs = openJobs({ postgres, engine, jobs: allJobs })
  await jobs.work({ concurrency: 5 })
  await writing.enqueue({ file: join(folder, 'idle') }).then((handle) => handle.result())
  await waiting.enqueue({ file: join(folder, 'waiting') })
  await blocking.enqueue({ file: join(folder, 'blocking'), ms: 600_000 })
  await quick.enqueue({})
} else if (isJob(writing)) {
  await run(writing)
  clearInterval(alive)
}

async function run(definition: JobDefinition): Promise<void> {
  const sandboxes = new Sandboxes({ most: 1 })
  const job = {
    id: '019abcde-0000-7000-8000-000000000000',
    name: definition.name,
    version: 1,
    queue: 'default',
    tenant: '',
    input: JSON.stringify({ file: folder }),
    attempt: 1,
    deaths: 0,
    owner: undefined,
    trace: undefined,
    step: undefined,
    createdAt: Date.now(),
  }
  await sandboxes.run(new Run({ job, definition, progress: () => {}, sandboxes }))
  console.log(`processes: ${sandboxes.size}`)
}
