import type { OrderKey } from '../spec.ts'
import type { SqlText } from './sql-text.ts'

/** A keyset page. */
export interface PageWindow {
  /** The order of the pages, its keys unique together. */
  readonly order: readonly OrderKey[]
  /** Which keys of the cursor are NULL; undefined for the first (or, backward, the last) page. */
  readonly after: readonly boolean[] | undefined
  readonly backward: boolean
  /** Rows to take: the page and one more, which tells whether there is another page. */
  readonly limit: number
}

/** The condition of a branch on the expressions of the keys. */
export type Branch = (keys: readonly string[]) => string | undefined

/**
 * The rows after a cursor, in `order`, as branches that do not overlap and that an index on the order can each serve. The
 * cursor's values are the run's added values, in the order of the keys.
 *
 * When every key goes the same way and none can be NULL, that is one row comparison, `(a, b) > ($1, $2)`. It cannot say
 * mixed directions, and silently loses rows with NULLs; then there is one branch per key prefix: equal in the keys before,
 * beyond in this one. A key that can be NULL adds a branch for its NULLs when they come after the cursor.
 */
export function keysetBranches(order: readonly OrderKey[], nulls: readonly boolean[], sql: SqlText): Branch[] {
  const first = order[0]!
  if (order.every((key) => !isNullable(key) && key.descending === first.descending)) {
    const values = order.map((_, i) => sql.added(i))
    return [(keys) => `(${keys.join(', ')}) ${first.descending ? '<' : '>'} (${values.join(', ')})`]
  }
  return order.flatMap((key, at) => {
    const prefix: Branch = (keys) =>
      order
        .slice(0, at)
        .map((_, i) => (nulls[i] ? `${keys[i]} is null` : `${keys[i]} = ${sql.added(i)}`))
        .join(' and ')
    return beyond(key, { at, isNull: nulls[at]!, sql }).map((branch): Branch => {
      return (keys) => [prefix(keys), branch(keys)].filter((part) => part !== '').join(' and ')
    })
  })
}

/** The values of one key that come after the cursor's: the larger (or smaller) ones, and NULL where it sorts last. */
function beyond(key: OrderKey, { at, isNull, sql }: { at: number; isNull: boolean; sql: SqlText }): Branch[] {
  if (isNull) return key.nulls === 'first' ? [(keys) => `${keys[at]} is not null`] : []
  const larger: Branch = (keys) => `${keys[at]} ${key.descending ? '<' : '>'} ${sql.added(at)}`
  return isNullable(key) && key.nulls === 'last' ? [larger, (keys) => `${keys[at]} is null`] : [larger]
}

/** A key of a joined row is NULL when that row is missing. */
function isNullable(key: OrderKey): boolean {
  return !key.column.notNull || key.relations.some((relation) => !relation.certain)
}
