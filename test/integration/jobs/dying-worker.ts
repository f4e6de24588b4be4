// A worker that is killed by its own hand at a point of the first run of a step: when its effect is there and nothing is said of it
// ('effect'), or when the workflow has gone on and the job is not settled ('advance').
import { databaseEngine } from '../../../src/jobs/drivers/database/database-engine.ts'
import type { Consumer, ConsumeOptions, JobEngine, LeasedJob, Outcome } from '../../../src/jobs/contract.ts'
import { openJobs } from '../../../src/jobs/index.ts'
import { openPostgres } from '../../../src/postgres/index.ts'
import { effectOn, plusOne, sum } from './flow-jobs.ts'

const [url, point] = process.argv.slice(2)
const postgres = await openPostgres({ url: url! })
const die = (): void => void process.kill(process.pid, 'SIGKILL')
const effect = effectOn(postgres, () => point === 'effect' && die())
const engine = await databaseEngine({ postgres })
const consume = engine.consume.bind(engine)
const dying: JobEngine = Object.assign(engine, {
  consume: async (options: ConsumeOptions): Promise<Consumer> => {
    const consumer = await consume(options)
    const settle = consumer.settle.bind(consumer)
    return Object.assign(consumer, {
      settle: (job: LeasedJob, outcome: Outcome) => {
        if (point === 'advance' && job.name === 'effect') die()
        return settle(job, outcome)
      },
    })
  },
})
await openJobs({ postgres, engine: dying, jobs: [effect, plusOne, sum] }).work({ concurrency: 1 })
