import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { TransactionOptions } from '../postgres/contract.ts'
import type { Models } from './types/model.ts'
import type { ModelSet } from './types/queryset.ts'

/** Every model of an application as a queryset of all its rows, with its writes. */
export type ModelSets<S extends Models> = { readonly [T in keyof S & string]: ModelSet<T, S> }

/** The database: a queryset for every model, transactions, and the full Drizzle on the same pool. */
export type Db<S extends Models> = ModelSets<S> & Database<S>

/** What {@link Db} has beside its models. */
export interface Database<S extends Models> {
  /** Drizzle on the same pool; inside {@link Database.transaction} it joins the transaction. */
  readonly drizzle: NodePgDatabase<S>
  /**
   * Runs `work` in a transaction: commits when it resolves, rolls back when it rejects. Reads and writes through the
   * `db` join it too.
   *
   * @throws PLIMSOLL_SERIALIZATION_FAILED, PLIMSOLL_DATABASE_BUSY
   */
  transaction<T>(work: (tx: Tx<S>) => Promise<T>, options?: TransactionOptions): Promise<T>
}

/** One open transaction: the same models, and Drizzle, inside it. */
export type Tx<S extends Models> = ModelSets<S> & OpenTransaction<S>

/** What {@link Tx} has beside its models. */
export interface OpenTransaction<S extends Models> {
  /** Drizzle inside this transaction. */
  readonly drizzle: NodePgDatabase<S>
  /** Runs `work` in a savepoint: what it did is undone when it rejects, and the outer transaction goes on. */
  transaction<T>(work: (tx: Tx<S>) => Promise<T>): Promise<T>
  /** Runs `hook` once after the outermost transaction has committed; a rolled-back savepoint drops its hooks. */
  afterCommit(hook: () => void | Promise<void>): void
}
