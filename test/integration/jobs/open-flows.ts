import { afterAll, inject, onTestFinished } from 'vitest'
import { databaseEngine } from '../../../src/jobs/drivers/database/database-engine.ts'
import { ensureJobTables } from '../../../src/jobs/drivers/database/job-tables.ts'
import { openJobs, type Job, type Jobs, type Schedule } from '../../../src/jobs/index.ts'
import { ensureScheduleTable } from '../../../src/jobs/schedule/schedule-table.ts'
import { ensureFlowTables } from '../../../src/jobs/workflow/flow-tables.ts'
import { openPostgres, type Postgres } from '../../../src/postgres/index.ts'
import { rowsOf, run } from '../../drivers/door.ts'
import { createDatabase, embeddedDatabase, type Database } from '../../servers/database.ts'

/** The engines that workflows and schedules are tested on. */
export const engines: readonly string[] = inject('postgresUrl') ? ['PGlite', 'PostgreSQL'] : ['PGlite']

/** A database of a test's own, and jobs on it. */
export interface Place {
  readonly database: Database
  readonly postgres: Postgres
  /** Opens jobs, as one more process would. */
  open(
    jobs: readonly Job[],
    options?: { readonly schedules?: readonly Schedule[]; readonly own?: boolean },
  ): Promise<Jobs>
  /** The rows of a query, their columns joined by a space. */
  lines(text: string): Promise<string[]>
}

// A database takes PGlite seconds to make, so the tests of a file share one, and empty it.
let embedded: Promise<Postgres> | undefined
afterAll(async () => (await embedded)?.close())

async function openEmbedded(): Promise<Postgres> {
  const postgres = await (embedded ??= openPostgres({ url: embeddedDatabase.url }))
  await ensureJobTables(postgres)
  await ensureFlowTables(postgres)
  await ensureScheduleTable(postgres)
  const tables = ['jobs', 'job_workers', 'job_flows', 'job_steps', 'job_schedules']
  await run(postgres, `truncate ${tables.map((table) => `plimsoll.${table}`).join()}`)
  return postgres
}

async function openServer({ url, drop }: Database): Promise<Postgres> {
  const postgres = await openPostgres({ url })
  onTestFinished(async () => {
    await postgres.close()
    await drop()
  })
  return postgres
}

/** A database with nothing in it; all that is opened on it is closed with the test. */
export async function openPlace(engine: string): Promise<Place> {
  const database = engine === 'PGlite' ? embeddedDatabase : await createDatabase()
  const postgres = await (engine === 'PGlite' ? openEmbedded() : openServer(database))
  return {
    database,
    postgres,
    async open(jobs, { schedules, own = false } = {}) {
      const door = own ? await openPostgres({ url: database.url }) : postgres
      await ensureFlowTables(door)
      const opened = openJobs({ postgres: door, jobs, schedules, engine: await databaseEngine({ postgres: door }) })
      onTestFinished(async () => {
        await opened.close({ timeout: 0 })
        if (own) await door.close()
      })
      return opened
    },
    lines: async (text) => (await rowsOf(postgres, text)).map((row) => row.join(' ')),
  }
}
