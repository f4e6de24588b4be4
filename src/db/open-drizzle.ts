import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { PgTransactionConfig } from 'drizzle-orm/pg-core'
import type { Transaction, TransactionOptions } from '../postgres/index.ts'
import type { Models } from './types/model.ts'

/** Runs work in a transaction of ours, or in a savepoint of the one that is open. */
export type RunTransaction = <T>(
  work: (transaction: Transaction) => Promise<T>,
  options?: TransactionOptions,
) => Promise<T>

/**
 * Drizzle on `client`. Its own `transaction` is one of ours: what runs in its callback through the `db` belongs to it, hooks
 * run after its commit, and two of them inside one transaction cannot undo one another.
 */
export function openDrizzle<S extends Models>(
  client: Transaction['client'],
  { relations, run }: { relations: S; run: RunTransaction },
): NodePgDatabase<S> {
  const db = drizzle({ client, relations })
  type Work = Parameters<typeof db.transaction>[0]
  const transaction = (work: Work, config?: PgTransactionConfig): Promise<unknown> =>
    run((own) => drizzle({ client: own.dedicatedClient, relations }).transaction(work), optionsOf(config))
  return Object.assign(db, { transaction })
}

function optionsOf(config: PgTransactionConfig | undefined): TransactionOptions | undefined {
  if (config === undefined) return undefined
  const { isolationLevel, accessMode, deferrable } = config
  return {
    // PostgreSQL has no weaker one than read committed, and takes one for the other.
    isolation: isolationLevel === 'read uncommitted' ? 'read committed' : isolationLevel,
    readOnly: accessMode === undefined ? undefined : accessMode === 'read only',
    deferrable,
  }
}
