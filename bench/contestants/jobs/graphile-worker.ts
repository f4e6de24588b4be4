import { makeWorkerUtils, run, Logger } from 'graphile-worker'
import pg from 'pg'
import type { JobInput, OpenJobContestant } from './contestant.ts'

const silent = new Logger(() => () => {})

export const openGraphileWorker: OpenJobContestant = async ({ urls, concurrency, batched, onRun }) => {
  const pgPool = new pg.Pool({ connectionString: urls.postgres, max: 10 })
  pgPool.on('error', () => {})
  const utils = await makeWorkerUtils({ pgPool, logger: silent })
  await utils.migrate()
  // Its options for many jobs with one statement.
  const preset = batched
    ? { worker: { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } }
    : undefined
  let runner: { stop(): Promise<void> } | undefined
  const addMany = async (client: pg.Pool | pg.PoolClient, inputs: readonly JobInput[]): Promise<void> => {
    const specs = JSON.stringify(inputs.map((payload) => ({ identifier: 'noop', payload })))
    await client.query(
      'select count(*) from graphile_worker.add_jobs(array(select json_populate_recordset(null::graphile_worker.job_spec, $1::json)))',
      [specs],
    )
  }
  return {
    add: (inputs) => (inputs.length === 1 ? utils.addJob('noop', inputs[0]!) : addMany(pgPool, inputs)),
    addInTransaction: async (inputs) => {
      const client = await pgPool.connect()
      try {
        await client.query('begin')
        await addMany(client, inputs)
        await client.query('commit')
      } finally {
        client.release()
      }
    },
    start: async () => {
      runner = await run({
        pgPool,
        concurrency,
        noHandleSignals: true,
        logger: silent,
        pollInterval: 1000,
        taskList: { noop: async (payload) => onRun(payload as JobInput) },
        ...(preset && { preset }),
      })
    },
    stop: async () => runner?.stop(),
    clear: async () => {
      await pgPool.query('truncate graphile_worker._private_jobs')
    },
    close: async () => {
      await utils.release()
      await pgPool.end()
    },
  }
}
