import { PlimsollError, showValue } from '../core/errors.ts'
import type { Model, ModelGraph } from '../schema/model.ts'
import { resolveField } from './paths.ts'
import type { OrderKey } from './spec.ts'

/** One item of an order as callers write it. */
export type OrderItem =
  | string
  | {
      readonly by: string
      readonly direction?: 'asc' | 'desc' | undefined
      readonly nulls?: 'first' | 'last' | undefined
    }

/**
 * Reads one item of an order: a path, `-` before it for descending. NULLs come last either way unless `nulls` says
 * otherwise: that is the order of the index that Drizzle makes of `.asc()` and `.desc()`.
 *
 * @throws PLIMSOLL_FIELD_UNKNOWN, PLIMSOLL_RELATION_UNKNOWN, PLIMSOLL_ORDER_INVALID
 */
export function parseOrder(graph: ModelGraph, model: Model, item: OrderItem): OrderKey {
  const { by, direction, nulls } = typeof item === 'string' ? fromText(item) : item
  const known = (value: unknown, allowed: readonly unknown[]): boolean => value === undefined || allowed.includes(value)
  if (typeof by !== 'string' || !known(direction, ['asc', 'desc']) || !known(nulls, ['first', 'last'])) {
    throw new PlimsollError(
      'PLIMSOLL_ORDER_INVALID',
      `An order is a path such as 'title' or '-title', or { by, direction: 'asc' | 'desc', nulls: 'first' | 'last' }, not ${showValue(item)}.`,
      { details: { model: model.key } },
    )
  }
  const descending = direction === 'desc'
  return { ...resolveField(graph, model, by), descending, nulls: nulls ?? 'last' }
}

/** The part of a shape's key that stands for an order item. */
export function orderItemKey(item: OrderItem): string {
  return typeof item === 'string' ? item : JSON.stringify([item.by, item.direction, item.nulls])
}

function fromText(text: string): Exclude<OrderItem, string> {
  return text.startsWith('-') ? { by: text.slice(1), direction: 'desc' } : { by: text }
}
