import { PlimsollError } from '../core/errors.ts'
import { redactUrl } from '../core/redact.ts'
import type { JobEngine } from '../jobs/contract.ts'
import { databaseEngine } from '../jobs/drivers/database/database-engine.ts'
import { openJobs, type Job, type Jobs } from '../jobs/index.ts'
import type { Postgres, PostgresOptions } from '../postgres/index.ts'

/** Where jobs are kept when nothing says so: in the database. */
export const databaseQueue = 'database:'

/** What `openQueue` needs to know. */
export interface QueueOptions {
  /** `database:`. */
  readonly url: string
  readonly jobs: readonly Job[]
  /** How the database was opened. */
  readonly database: PostgresOptions
}

/**
 * Opens the jobs of an application on the engine that a URL names.
 *
 * @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_JOBS_UNAVAILABLE
 */
export async function openQueue(postgres: Postgres, { url, jobs, database }: QueueOptions): Promise<Jobs> {
  return openJobs({ postgres, jobs, engine: await openEngine(postgres, { url, database }) })
}

async function openEngine(
  postgres: Postgres,
  { url, database }: { readonly url: string; readonly database: PostgresOptions },
): Promise<JobEngine> {
  if (url === databaseQueue) {
    // A function cannot go to a thread, and one that waits for the database says so already.
    const { onWaiting: _, ...options } = database
    return databaseEngine({ postgres, heartbeat: postgres.engine === 'postgres' ? options : undefined })
  }
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `QUEUE_URL is '${redactUrl(url)}'; give database:, or leave it out.`,
    {
      details: { option: 'queueUrl' },
    },
  )
}

/** The jobs of an application that has none. */
export function noJobs(): Jobs {
  const refuse = (): never => {
    throw new PlimsollError(
      'PLIMSOLL_JOB_UNBOUND',
      'The application has no jobs; list them in createApp({ jobs: [ … ] }).',
    )
  }
  return new Proxy({} as Jobs, { get: refuse })
}
