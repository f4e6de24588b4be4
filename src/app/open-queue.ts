import { PlimsollError } from '../core/errors.ts'
import { redactUrl } from '../core/redact.ts'
import type { JobEngine } from '../jobs/contract.ts'
import { databaseEngine } from '../jobs/drivers/database/database-engine.ts'
import { rabbitmqEngine } from '../jobs/drivers/rabbitmq/rabbitmq-engine.ts'
import { redisEngine } from '../jobs/drivers/redis/redis-engine.ts'
import { openJobs, type Job, type Jobs, type Schedule } from '../jobs/index.ts'
import type { JobTracer } from '../jobs/types.ts'
import { ensureFlowTables } from '../jobs/workflow/flow-tables.ts'
import type { Outbox } from '../outbox/index.ts'
import type { Postgres, PostgresOptions } from '../postgres/index.ts'
import { openJobRelay } from './job-relay.ts'

/** Where jobs are kept when nothing says so: in the database. */
export const databaseQueue = 'database:'

/** The options of {@link openQueue}. */
export interface QueueOptions {
  /** `database:`, `redis://…`, `rediss://…`, `amqp://…` or `amqps://…`. Default `'database:'`. */
  readonly url?: string | undefined
  /** What `defineJob` returns. */
  readonly jobs: readonly Job[]
  /** What `defineSchedule` returns. Default: none. */
  readonly schedules?: readonly Schedule[] | undefined
  /** How the database was opened: threads that hold leases open connections of their own. */
  readonly database: PostgresOptions
  /** The outbox of the application, with `records`, for an engine that jobs are relayed to. Default: one of its own. */
  readonly outbox?: Outbox | undefined
  /** Makes spans of jobs. */
  readonly tracer?: JobTracer | undefined
}

/**
 * Opens jobs on the engine that a URL names; what `createApp` does, for who has no such application. They are closed before the database is.
 *
 * @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_JOBS_UNAVAILABLE, PLIMSOLL_JOBS_UNREACHABLE, PLIMSOLL_OUTBOX_UNAVAILABLE
 * @example
 * const database = { url: 'postgres://localhost/shop' }
 * const postgres = await openPostgres(database)
 * const jobs = await openQueue(postgres, { url: 'redis://localhost', jobs: [welcome], database })
 */
export async function openQueue(
  postgres: Postgres,
  { url = databaseQueue, database, outbox, ...known }: QueueOptions,
): Promise<Jobs> {
  await ensureFlowTables(postgres)
  const engine = await openEngine(postgres, { url, database })
  if (engine.features.transactional) return openJobs({ postgres, engine, ...known })
  try {
    return openJobs({ postgres, ...known, ...(await openJobRelay(postgres, engine, { outbox })) })
  } catch (error) {
    await engine.close()
    throw error
  }
}

async function openEngine(
  postgres: Postgres,
  { url, database }: { readonly url: string; readonly database: PostgresOptions },
): Promise<JobEngine> {
  // A function cannot go to a thread, and one that waits for the database says so already.
  const { onWaiting: _, ...options } = database
  const heartbeat = postgres.engine === 'postgres' ? options : undefined
  if (url === databaseQueue) return databaseEngine({ postgres, heartbeat })
  if (/^rediss?:/i.test(url)) return redisEngine({ url })
  if (/^amqps?:/i.test(url)) return rabbitmqEngine({ url, postgres, heartbeat, threaded: true })
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `QUEUE_URL is '${redactUrl(url)}'; give database:, redis://host:6379 or amqp://host:5672, or leave it out.`,
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
