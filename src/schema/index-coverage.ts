import type { Column, Index, Model } from './model.ts'

/**
 * True when a lookup by equality on all of `columns` can use an index: one that is not partial and whose leading columns
 * are `columns` in any order.
 */
export function indexServes(model: Model, columns: readonly Column[]): boolean {
  return columns.length > 0 && model.indexes.some((index) => !index.partial && leadsWith(index, columns))
}

/**
 * True when no two rows of `model` can share their values in `columns`: they contain a unique set whose columns are all
 * NOT NULL (PostgreSQL lets rows share a unique key that holds a NULL).
 */
export function isUniqueKey(model: Model, columns: readonly Column[]): boolean {
  return model.uniques.some((unique) => unique.every((column) => column.notNull && columns.includes(column)))
}

function leadsWith(index: Index, columns: readonly Column[]): boolean {
  const leading = index.columns.slice(0, columns.length).map((entry) => entry.column)
  return leading.length === columns.length && columns.every((column) => leading.includes(column))
}
