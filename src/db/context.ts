import type { Postgres, Transaction } from '../postgres/index.ts'
import type { ModelGraph } from '../schema/model.ts'
import type { ShapeTree } from './shape.ts'

/** What every queryset of one database, or of one transaction of it, works with. */
export interface DbContext {
  readonly graph: ModelGraph
  readonly tree: ShapeTree
  /** The pool, or the transaction. */
  readonly executor: Postgres | Transaction
  /** Signs the cursors. */
  readonly secret: string
}
