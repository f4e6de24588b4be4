import type { OpenJobContestant } from './contestant.ts'

/** In the order of the tables. Each is imported in its own processes only. */
export const jobContestants: readonly string[] = [
  'plimsoll-database',
  'plimsoll-redis',
  'plimsoll-rabbitmq',
  'pg-boss',
  'graphile-worker',
  'bullmq-postgres',
  'bullmq',
  'amqplib',
  'celery-redis',
  'celery-rabbitmq',
]

/** Who takes longer to enqueue a whole backlog than all others together. A round ends with its last job, when it comes to the end of it. */
export const mostBacklog: Readonly<Record<string, number>> = { 'celery-redis': 2000, 'celery-rabbitmq': 6000 }

/** Imports one contestant's library. */
export async function loadJobContestant(name: string): Promise<OpenJobContestant> {
  switch (name) {
    case 'plimsoll-database':
      return (await import('./plimsoll.ts')).openPlimsollDatabase
    case 'plimsoll-redis':
      return (await import('./plimsoll.ts')).openPlimsollRedis
    case 'plimsoll-rabbitmq':
      return (await import('./plimsoll.ts')).openPlimsollRabbitmq
    case 'pg-boss':
      return (await import('./pg-boss.ts')).openPgBoss
    case 'graphile-worker':
      return (await import('./graphile-worker.ts')).openGraphileWorker
    case 'bullmq-postgres':
      return (await import('./bullmq-postgres.ts')).openBullmqPostgres
    case 'amqplib':
      return (await import('./amqplib.ts')).openAmqplib
    case 'celery-redis':
      return (await import('./celery.ts')).openCeleryRedis
    case 'celery-rabbitmq':
      return (await import('./celery.ts')).openCeleryRabbitmq
    case 'bullmq':
      return (await import('./bullmq.ts')).openBullmq
    default:
      throw new Error(`No contestant is called '${name}'; there are ${jobContestants.join(', ')}`)
  }
}
