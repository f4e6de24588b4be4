import type { Executor, TransactionOptions } from '../postgres/index.ts'
import type { ModelGraph } from '../schema/model.ts'
import type { ShapeTree } from './shape.ts'

/** What every queryset of one database, or of one transaction of it, works with. */
export interface DbContext {
  readonly graph: ModelGraph
  readonly tree: ShapeTree
  /** The pool, or the transaction. */
  readonly executor: TransactionalExecutor
  /** Signs the cursors. */
  readonly secret: string
}

/** Runs statements, some of them together: all of a pool or a transaction that querysets use. */
export interface TransactionalExecutor extends Executor {
  transaction<T>(work: (inner: Executor) => Promise<T>, options?: TransactionOptions): Promise<T>
}
