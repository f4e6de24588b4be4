// pg-boss, driven by hand: its own `work` takes jobs in polls half a second apart.
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { PgBoss } from 'pg-boss'
import type { JobInput, OpenJobContestant } from './contestant.ts'

const queue = 'noop'
const batch = 200

export const openPgBoss: OpenJobContestant = async ({ urls, concurrency, batched, onRun }) => {
  const pool = new pg.Pool({ connectionString: urls.postgres, max: 10 })
  const boss = new PgBoss({ connectionString: urls.postgres, max: 10, supervise: false, schedule: false })
  await boss.start()
  await boss.createQueue(queue)
  const state = { running: false }
  let loops: Promise<void>[] = []
  const loop = async (): Promise<void> => {
    while (state.running) {
      const jobs = await boss.fetch<JobInput>(queue, { batchSize: batched ? batch : 1 })
      if (jobs.length === 0) {
        await sleep(2)
        continue
      }
      await Promise.all(jobs.map(async ({ data }) => onRun(data)))
      await boss.complete(
        queue,
        jobs.map(({ id }) => id),
      )
    }
  }
  const insert = (inputs: readonly JobInput[], options?: object): Promise<unknown> =>
    boss.insert(
      queue,
      inputs.map((data) => ({ data })),
      options,
    )
  return {
    add: (inputs) => (inputs.length === 1 ? boss.send(queue, inputs[0]) : insert(inputs)),
    addInTransaction: async (inputs) => {
      const client = await pool.connect()
      try {
        await client.query('begin')
        await insert(inputs, { db: { executeSql: (text: string, values?: unknown[]) => client.query(text, values) } })
        await client.query('commit')
      } finally {
        client.release()
      }
    },
    start: async () => {
      state.running = true
      // As many connections as it has.
      loops = Array.from({ length: Math.min(concurrency, batched ? 3 : 10) }, loop)
    },
    stop: async () => {
      state.running = false
      await Promise.all(loops)
    },
    clear: async () => {
      await pool.query('truncate pgboss.job')
    },
    close: async () => {
      await boss.stop({ graceful: false })
      await pool.end()
    },
  }
}
