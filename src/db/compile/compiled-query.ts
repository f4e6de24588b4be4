import type { Statement } from '../../postgres/index.ts'
import type { RowShape } from '../decode/row-shape.ts'
import type { ParameterSource } from './sql-text.ts'

/** A statement ready to run, what its rows become, and what else has to be loaded for them. Frozen. */
export interface CompiledQuery {
  readonly statement: Statement
  readonly sources: readonly ParameterSource[]
  readonly shape: RowShape
  /** Loaded after this statement (or beside it); `ChildrenField.index` counts in this list. */
  readonly prefetches: readonly CompiledPrefetch[]
}

/** A relation that a statement of its own loads for all rows of its parent at once. */
export interface CompiledPrefetch {
  readonly query: CompiledQuery
  /**
   * How the child rows are found. `keys`: by the parents' keys, one array parameter per key column, after the parents.
   * `pinned`: the parents' key is a value of the queryset, so the statement goes out beside the parents'. `snapshot`:
   * by the parents' own query as a sub-select, in one snapshot and one round trip with it.
   */
  readonly strategy: 'keys' | 'pinned' | 'snapshot'
  /** The columns of the parent's row that hold its key. */
  readonly parentKeySlots: readonly number[]
  /** The columns of the child's row that hold the key of its parent. */
  readonly childKeySlots: readonly number[]
  readonly cardinality: 'one' | 'many'
}
