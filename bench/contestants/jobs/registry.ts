import type { OpenJobContestant } from './contestant.ts'

/** In the order of the tables. Each is imported in its own processes only. */
export const jobContestants: readonly string[] = ['plimsoll-database', 'pg-boss', 'graphile-worker', 'bullmq']

/** Imports one contestant's library. */
export async function loadJobContestant(name: string): Promise<OpenJobContestant> {
  switch (name) {
    case 'plimsoll-database':
      return (await import('./plimsoll.ts')).openPlimsollDatabase
    case 'pg-boss':
      return (await import('./pg-boss.ts')).openPgBoss
    case 'graphile-worker':
      return (await import('./graphile-worker.ts')).openGraphileWorker
    case 'bullmq':
      return (await import('./bullmq.ts')).openBullmq
    default:
      throw new Error(`No contestant is called '${name}'; there are ${jobContestants.join(', ')}`)
  }
}
