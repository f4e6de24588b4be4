import type { WireValue } from '../../core/wire.ts'
import type { Condition } from '../filter/condition.ts'
import type { OrderKey, QuerySpec } from '../spec.ts'

/** What a cursor is bound to: the model, the order and the filters with their values. */
export type ListIdentity = (values: readonly WireValue[]) => string

/** The identity of the list of a spec in an order; the part without the values is made once. */
export function listIdentity(spec: QuerySpec, order: readonly OrderKey[]): ListIdentity {
  const orders = order.map((key) => [key.path, key.descending, key.nulls])
  const list = JSON.stringify([spec.model.key, orders, spec.conditions], describe)
  const slots = slotsOf(spec.conditions)
  return (values) =>
    slots.length === 0
      ? list
      : `${list}${JSON.stringify(
          slots.map((slot) => values[slot]),
          bigintAsText,
        )}`
}

/** Columns and relations by their names: everything else about them belongs to the schema. */
function describe(name: string, value: unknown): unknown {
  if (name === 'column') return (value as { key: string }).key
  if (name === 'relation') return (value as { name: string }).name
  return value
}

function bigintAsText(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value
}

function slotsOf(conditions: readonly Condition[]): number[] {
  return conditions.flatMap((condition) => {
    switch (condition.kind) {
      case 'and':
      case 'or':
        return slotsOf(condition.items)
      case 'not':
      case 'notTrue':
        return slotsOf([condition.item])
      case 'related':
        return condition.item ? slotsOf([condition.item]) : []
      case 'raw':
        return condition.pieces.slice(1).map((_, i) => condition.firstSlot + i)
      case 'isNull':
      case 'constant':
        return []
      case 'operator':
      case 'in':
        return [condition.slot]
    }
  })
}
