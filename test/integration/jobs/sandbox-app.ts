import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { createApp, type App } from '../../../src/app/index.ts'
import { defineJob, type Job } from '../../../src/jobs/index.ts'
import { createStatement, readTexts } from '../../../src/postgres/index.ts'
import { anything } from '../../drivers/anything.ts'
import { relations } from '../../faults/service.ts'

interface Counted {
  readonly pid: number
  /** How many workers there are in the application of the process that ran it. */
  readonly workers: number
  readonly duplicate: boolean
}

/** A job whose module opens its application, with a worker: so does every process that imports it. */
export const counting: Job<Record<string, never>, Counted> = defineJob(
  'counting',
  { input: anything<Record<string, never>>(), sandbox: { module: import.meta.url } },
  async (): Promise<Counted> => {
    const count = createStatement('select count(*)::text from plimsoll.job_workers')
    const [row] = await readTexts(app.postgres, count)
    const { duplicate } = await counting.enqueue({})
    return { pid: process.pid, workers: Number(row![0]), duplicate }
  },
)

/** Each process copies a database of its own, which is faster than to make one. */
const { DATABASE_TEMPLATE: template = '', DATABASE_COPIES: copies = '' } = process.env
const database = join(copies, String(process.pid))
cpSync(template, database, { recursive: true })
const app: App<typeof relations> = await createApp({
  relations,
  databaseUrl: `pglite:${database}`,
  secret: 'a secret of the tests',
  jobs: [counting],
  work: true,
})

/** Ends it. */
export const close = (): Promise<void> => app.close()
