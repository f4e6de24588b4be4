import type { Executor, Replicas, Transaction, TransactionOptions } from '../postgres/index.ts'
import type { ModelGraph } from '../schema/model.ts'
import type { QueryCache, WriteTracker } from './contract.ts'
import type { CachedOptions } from './types/cached.ts'
import type { ShapeTree } from './shape.ts'
import type { Bounds } from './types/bounds.ts'

/** What every queryset of one database, or of one transaction of it, works with. */
export interface DbContext {
  readonly graph: ModelGraph
  readonly tree: ShapeTree
  /** The pool, or the transaction, with the bounds of a queryset. */
  readonly executor: TransactionalExecutor
  /** The same without bounds, and never a replica. */
  readonly door: TransactionalExecutor
  /** The transaction that the models are those of (`tx.posts`); undefined for `db`. */
  readonly transaction?: Transaction | undefined
  readonly bounds?: Bounds | undefined
  readonly cache?: QueryCache | undefined
  /** Set for a queryset whose answers are kept. */
  readonly cached?: CachedOptions | undefined
  readonly writes?: WriteTracker | undefined
  /** Signs the cursors. */
  readonly secret: string
}

/** Runs statements, some of them together: all of a pool or a transaction that querysets use. */
export interface TransactionalExecutor extends Executor {
  transaction<T>(work: (inner: Executor) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Where reads may go that may be behind; a transaction has none. */
  readonly replicas?: Pick<Replicas, 'behind' | 'atLeast' | 'position'> | undefined
  /** For the statements of one read, where that is another than this. */
  forRead?(): Executor
  /** For the statements of one read whose answer is kept: they see all that was committed before this was called. */
  forFill?(): Promise<Executor>
}
