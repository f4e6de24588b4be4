import { setTimeout as wait } from 'node:timers/promises'
import { backoffMs } from '../../../core/backoff.ts'
import { isPlimsollError } from '../../../core/errors.ts'

const retry = { firstMs: 50, mostMs: 2000 }

/** Asks a database that is away again, until it answers, is closed, or there is no use for the answer any more: undefined then. */
export async function askUntil<T>(ended: () => boolean, ask: () => Promise<T | undefined>): Promise<T | undefined> {
  for (let attempt = 1; !ended(); attempt++) {
    try {
      const answer = await ask()
      if (answer !== undefined) return answer
    } catch (error) {
      if (isPlimsollError(error, 'PLIMSOLL_DATABASE_CLOSED')) return undefined
    }
    await wait(backoffMs(attempt, retry))
  }
  return undefined
}
