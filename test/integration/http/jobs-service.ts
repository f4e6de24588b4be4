import { randomUUID } from 'node:crypto'
import { inject, onTestFinished } from 'vitest'
import { z } from 'zod'
import { createApp, defineJob, type App } from '../../../src/app/index.ts'
import type { JobStatusOptions } from '../../../src/http/index.ts'
import type { Job } from '../../../src/jobs/index.ts'
import { createDatabase, embeddedDatabase } from '../../servers/database.ts'
import { findRabbitmq } from '../../servers/rabbitmq.ts'
import { findRedis, startRedis, type RedisServer } from '../../servers/redis.ts'
import { rabbitmqUrl } from '../../servers/shared-rabbitmq.ts'
import { engines, relations } from './shop.ts'

/** The engines that jobs over HTTP are tested on. Those beside a database have one of PostgreSQL where there is one. */
export const jobEngines: readonly string[] = [
  ...engines,
  ...(findRedis() === undefined ? [] : ['Redis']),
  ...(findRabbitmq() === undefined ? [] : ['RabbitMQ']),
]

let redis: Promise<RedisServer | undefined> | undefined

/** Where an engine is; what is made for it is gone with the test. */
export async function placeOf(engine: string): Promise<{ readonly databaseUrl: string; readonly queueUrl?: string }> {
  const embedded = engine === 'PGlite' || !inject('postgresUrl')
  const database = embedded ? embeddedDatabase : await createDatabase()
  onTestFinished(() => database.drop())
  if (engine === 'RabbitMQ') return { databaseUrl: database.url, queueUrl: await rabbitmqUrl() }
  if (engine !== 'Redis') return { databaseUrl: database.url }
  const { url } = (await (redis ??= startRedis({ args: ['--appendonly', 'yes'] })))!
  return { databaseUrl: database.url, queueUrl: `${url}?namespace=${randomUUID()}` }
}

/** Stops what `placeOf` has started for all tests of a file; those of the next start it anew. */
export async function stopPlaces(): Promise<void> {
  const started = redis
  redis = undefined
  await (await started)?.stop()
}

type Settings = Partial<Parameters<typeof createApp<typeof relations>>[0]>

/** A job that does what it is told to by the test, step by step. */
export interface Lever {
  readonly job: Job<{ readonly what: string }, unknown>
  /** Resolves when a run has begun. */
  readonly begun: Promise<void>
  /** Says how far it is. */
  progress(done: number, total: number, note?: string): void
  /** Ends it with an output. */
  finish(output: unknown): void
  fail(error: unknown): void
}

/** Makes a {@link Lever}; its job is named `name`. */
export function lever(name: string, options: { readonly attempts?: number } = {}): Lever {
  const begun = Promise.withResolvers<void>()
  const end = Promise.withResolvers<unknown>()
  end.promise.catch(() => {})
  let say: (done: number, total: number, note?: string) => void = () => {}
  const job = defineJob(
    name,
    { input: z.object({ what: z.string() }), retry: { attempts: options.attempts ?? 1, first: '10m' } },
    (_, { progress, signal }) => {
      say = progress
      begun.resolve()
      return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
        end.promise.then(resolve, reject)
      })
    },
  )
  return {
    job,
    begun: begun.promise,
    progress: (done, total, note) => say(done, total, note),
    finish: end.resolve,
    fail: end.reject,
  }
}

/** A service with jobs on an engine, which knows its users by the header `x-user`. */
export async function openService(
  jobs: readonly Job[],
  {
    engine = 'PGlite',
    status = {},
    ...settings
  }: Settings & { readonly engine?: string; readonly status?: Partial<JobStatusOptions> } = {},
): Promise<{ readonly app: App<typeof relations>; readonly url: string }> {
  const place = await placeOf(engine)
  const app = await createApp({
    relations,
    ...place,
    secret: 'a secret for tests',
    jobs,
    work: true,
    closeTimeout: '2s',
    ...settings,
  })
  onTestFinished(() => app.close())
  const userOf = (headers: Readonly<Record<string, unknown>>): string | undefined =>
    headers['x-user'] as string | undefined
  app.jobStatus({ owner: ({ headers }) => userOf(headers), ...status })
  for (const job of jobs) {
    app.fastify.post<{ Body: { what: string } }>(`/${job.name}`, async ({ body, headers }, reply) =>
      reply.accepted(await job.enqueue(body, { owner: userOf(headers) })),
    )
  }
  return { app, url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}
