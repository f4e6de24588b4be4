import { setTimeout as wait } from 'node:timers/promises'
import { backoffMs } from '../../../core/backoff.ts'
import { isPlimsollError, PlimsollError } from '../../../core/errors.ts'
import type { WireValue } from '../../../core/wire.ts'
import { readTexts, type Postgres, type Statement } from '../../../postgres/index.ts'

const mostAttempts = 10
const retry = { firstMs: 2, mostMs: 250 }

/**
 * Runs a statement that takes locks on many rows, whose order is not always ours to choose. Whoever takes them in another order waits for this
 * process, and it for him: the database ends one of the two, which has changed nothing and goes again. In the caller's transaction, which is
 * lost with it, that is up to the caller.
 *
 * @throws PLIMSOLL_SERIALIZATION_FAILED when that has happened ten times in a row
 */
export async function readPastDeadlocks(
  postgres: Postgres,
  statement: Statement,
  values: readonly WireValue[],
): Promise<(string | null)[][]> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await readTexts(postgres, statement, values)
    } catch (error) {
      if (!isPlimsollError(error, 'PLIMSOLL_SERIALIZATION_FAILED') || postgres.current() !== undefined) throw error
      if (attempt === mostAttempts) {
        throw new PlimsollError(
          'PLIMSOLL_SERIALIZATION_FAILED',
          `The database has ended it ${attempt} times, since others enqueue or cancel the same jobs or keys at the same time. Try again, with fewer of them at once.`,
          { details: error.details, cause: error },
        )
      }
      await wait(backoffMs(attempt, retry))
    }
  }
}
