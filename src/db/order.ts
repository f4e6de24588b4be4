import { PlimsollError, showValue } from '../core/errors.ts'
import type { Model, ModelGraph } from '../schema/model.ts'
import { isOrderable } from './filter/column-operators.ts'
import { resolveField } from './paths.ts'
import type { OrderKey, QuerySpec } from './spec.ts'

/** One item of an order as callers write it. */
export type OrderItem =
  | string
  | {
      readonly by: string
      readonly direction?: 'asc' | 'desc' | undefined
      readonly nulls?: 'first' | 'last' | undefined
    }

/** An order item as a checked path with all that it leaves out. */
export interface OrderWish {
  readonly by: string
  readonly descending: boolean
  readonly nulls: 'first' | 'last'
}

/**
 * Reads the items of an order, all but whether their paths exist: a path, `-` before it for descending. NULLs come last
 * either way unless `nulls` says otherwise, because that is the order of the indexes that Drizzle makes: it writes
 * `DESC NULLS LAST` for `.desc()`, which PostgreSQL's own default (`DESC NULLS FIRST`) could not walk.
 *
 * @throws PLIMSOLL_ORDER_INVALID
 */
export function readOrder(model: Model, items: readonly unknown[]): readonly OrderWish[] {
  return items.map((item) => readItem(model, item))
}

function readItem(model: Model, item: unknown): OrderWish {
  if (typeof item === 'string') {
    return item.startsWith('-')
      ? { by: item.slice(1), descending: true, nulls: 'last' }
      : { by: item, descending: false, nulls: 'last' }
  }
  const { by, direction = 'asc', nulls = 'last' } = (item ?? {}) as Record<string, unknown>
  if (
    typeof by === 'string' &&
    !by.startsWith('-') &&
    (direction === 'asc' || direction === 'desc') &&
    (nulls === 'first' || nulls === 'last')
  ) {
    return { by, descending: direction === 'desc', nulls }
  }
  throw invalid(
    model,
    `An order is a path such as 'title' or '-title', or { by, direction: 'asc' | 'desc', nulls: 'first' | 'last' }, not ${showValue(item)}.`,
  )
}

/**
 * The part of a shape's key that stands for an order. No property has a bracket or a comma in its name, or a minus at its
 * front.
 */
export function orderKey(order: readonly OrderWish[]): string {
  const paths = order.map(({ by, descending }) => (descending ? `-${by}` : by)).join(',')
  const first = order.some(({ nulls }) => nulls === 'first') ? order.map(({ nulls }) => nulls).join(',') : ''
  return `order ${order.length}[${first}[${paths}`
}

/**
 * Finds the columns of an order.
 *
 * @throws PLIMSOLL_FIELD_UNKNOWN, PLIMSOLL_RELATION_UNKNOWN; PLIMSOLL_ORDER_INVALID for a type that PostgreSQL cannot sort
 */
export function resolveOrder(graph: ModelGraph, model: Model, order: readonly OrderWish[]): OrderKey[] {
  return order.map(({ by, descending, nulls }) => {
    const field = resolveField(graph, model, by)
    if (isOrderable(field.column)) return { ...field, descending, nulls }
    throw invalid(model, `PostgreSQL cannot sort '${by}' of '${model.key}', which is ${field.column.codec.sqlType}.`)
  })
}

/** The order of the rows of a spec: DISTINCT ON keeps the first row of each group, so its paths come before all others. */
export function orderOf({ distinct, order }: QuerySpec): readonly OrderKey[] {
  if (distinct === undefined || distinct === 'all') return order
  const leads = (path: string): boolean => distinct.some((field) => field.path === path)
  const leading = order.filter((key) => leads(key.path))
  const missing = distinct
    .filter((field) => !leading.some((key) => key.path === field.path))
    .map((field): OrderKey => ({ ...field, descending: false, nulls: 'last' }))
  return [...leading, ...missing, ...order.filter((key) => !leads(key.path))]
}

function invalid(model: Model, message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_ORDER_INVALID', message, { details: { model: model.key } })
}
