import type { Index, Model } from '../../schema/model.ts'
import type { OrderKey } from '../spec.ts'
import type { LevelTree } from './level-tree.ts'

/** The expressions of an order, each with its direction; joins what its paths go through. */
export function orderSql(tree: LevelTree, order: readonly OrderKey[]): string {
  return order.map((key) => `${tree.column(tree.join(key.relations), key.column)}${directionSql(key)}`).join(', ')
}

/** `` desc nulls last``; PostgreSQL's defaults (NULLs are larger than everything) are left out. */
export function directionSql({ descending, nulls }: Pick<OrderKey, 'descending' | 'nulls'>): string {
  const usual = descending ? 'first' : 'last'
  return `${descending ? ' desc' : ''}${nulls === usual ? '' : ` nulls ${nulls}`}`
}

/** The same order from its other end. */
export function reverseOrder(order: readonly OrderKey[]): OrderKey[] {
  return order.map((key) => ({ ...key, descending: !key.descending, nulls: key.nulls === 'first' ? 'last' : 'first' }))
}

/**
 * The same order with the NULLs of its NOT NULL keys placed as an index has them. Where there are no NULLs their place does
 * not change the result, but PostgreSQL uses an index for an order only when the two agree on it.
 */
export function orderFor(model: Model, order: readonly OrderKey[]): readonly OrderKey[] {
  const own = order.findIndex((key) => key.relations.length > 0)
  const keys = own < 0 ? order : order.slice(0, own)
  const [best] = model.indexes
    .flatMap((index) => index.columns.map((_, from) => placedBy(index.columns.slice(from), keys)))
    .toSorted((a, b) => b.length - a.length)
  return best ? [...best, ...order.slice(best.length)] : order
}

/** The leading keys that an index, walked forward or backward, has in this order, with its placement of NULLs. */
function placedBy(columns: Index['columns'], order: readonly OrderKey[]): OrderKey[] {
  const placed: OrderKey[] = []
  const backward = columns[0] !== undefined && order[0] !== undefined && columns[0].descending !== order[0].descending
  for (const [at, key] of order.entries()) {
    const entry = columns[at]
    if (!entry || entry.column !== key.column || (entry.descending !== key.descending) !== backward) break
    const nulls = backward ? (entry.nulls === 'first' ? 'last' : 'first') : entry.nulls
    if (!key.column.notNull && nulls !== key.nulls) break
    placed.push({ ...key, nulls })
  }
  return placed
}
