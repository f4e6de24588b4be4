import { PlimsollError } from '../core/errors.ts'
import type { Postgres } from '../postgres/index.ts'

/**
 * Refuses to wait for work inside a transaction of the caller's: what it has enqueued runs after its commit, which would wait for that,
 * and other work it would hold its connection and its locks for.
 *
 * @throws PLIMSOLL_JOB_IN_TRANSACTION
 */
export function refuseInTransaction(postgres: Postgres, what: string): void {
  if (postgres.current() === undefined) return
  throw new PlimsollError(
    'PLIMSOLL_JOB_IN_TRANSACTION',
    `The result of ${what} cannot be waited for inside a transaction: what is enqueued in it runs after its commit.`,
  )
}
