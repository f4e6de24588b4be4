import { PlimsollError } from '../../core/errors.ts'
import type { OrderKey, QuerySpec } from '../spec.ts'

/**
 * Refuses to order rows without their repeats by what they do not show, which PostgreSQL cannot do: the rows that became
 * one may differ in it. `isShown` tells what they show.
 *
 * @throws PLIMSOLL_QUERY_INVALID naming the key of the order.
 */
export function checkDistinctOrder(
  { model, distinct }: QuerySpec,
  order: readonly OrderKey[],
  isShown: (key: OrderKey) => boolean,
): void {
  const hidden = distinct === 'all' ? order.find((key) => !isShown(key)) : undefined
  if (hidden === undefined) return
  throw new PlimsollError(
    'PLIMSOLL_QUERY_INVALID',
    `distinct() leaves out repeated rows of '${model.key}', which do not show '${hidden.path}': show it, or do not order by it.`,
    { details: { model: model.key, field: hidden.path } },
  )
}
