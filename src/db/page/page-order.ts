import { PlimsollError } from '../../core/errors.ts'
import { isUniqueKey } from '../../schema/index.ts'
import type { OrderKey, QuerySpec } from '../spec.ts'

/**
 * The order of the pages of a queryset: its own, with the primary key as the last word unless the order is unique already.
 * The tie-breaker goes the way of the key before it, so that one index on both serves either direction.
 *
 * @throws PLIMSOLL_QUERY_INVALID for a table without a primary key, or a queryset with a limit, an offset or DISTINCT.
 */
export function pageOrder(spec: QuerySpec): readonly OrderKey[] {
  const { model, order } = spec
  if (spec.limit !== undefined || spec.offset !== undefined || spec.distinct !== undefined) {
    throw new PlimsollError(
      'PLIMSOLL_QUERY_INVALID',
      `A page of '${model.key}' sets its own bounds: call page() without limit, offset or distinct.`,
    )
  }
  const own = order.filter((key) => key.relations.length === 0).map((key) => key.column)
  if (isUniqueKey(model, own)) return order
  if (model.primaryKey.length === 0) {
    throw new PlimsollError(
      'PLIMSOLL_QUERY_INVALID',
      `'${model.key}' has no primary key to break ties by; give it one, or order by a unique set of NOT NULL columns.`,
    )
  }
  const descending = order.at(-1)?.descending ?? false
  const ties = model.primaryKey
    .filter((column) => !own.includes(column))
    .map((column): OrderKey => {
      return { path: column.key, relations: [], column, descending, nulls: 'last' }
    })
  return [...order, ...ties]
}
