import { isUniqueKey } from '../../schema/index.ts'
import type { Column } from '../../schema/model.ts'
import type { Condition } from '../filter/condition.ts'
import type { PrefetchSpec, QuerySpec } from '../spec.ts'
import { keyColumns } from './key-columns.ts'

/** How a prefetch finds its rows; see `CompiledPrefetch.strategy`. */
export type PrefetchStrategy =
  | { readonly strategy: 'keys' }
  /** The slots of the parent's key, by the values of the parent's queryset. */
  | { readonly strategy: 'pinned'; readonly slots: readonly number[] }
  /** The parents' keys as a queryset. */
  | { readonly strategy: 'snapshot'; readonly parents: QuerySpec }

/**
 * `pinned` when the parents' filter sets the key (`filter({ id: 5 })`) and every equal key has the same text, which is
 * what groups the children: they can be asked for at once.
 * `snapshot` when it sets another unique key (`filter({ slug })`): one row at most, so asking for it twice is cheap, and a
 * snapshot makes both answers agree. Otherwise `keys`: what the parents turned out to be decides, and is cheapest to
 * look up.
 */
export function prefetchStrategy({ relation, spec }: PrefetchSpec, parent: QuerySpec): PrefetchStrategy {
  const pinned = pinnedColumns(parent.conditions)
  const slots = relation.sourceColumns.map((column) => pinned.get(column))
  if (slots.every((slot) => slot !== undefined) && keyColumns(relation).every((part) => part.equalByText)) {
    return { strategy: 'pinned', slots }
  }
  if (spec.limit === undefined && spec.prefetches.length === 0 && isUniqueKey(parent.model, [...pinned.keys()])) {
    const fields = relation.sourceColumns.map((column) => ({ path: column.key, relations: [], column }))
    return {
      strategy: 'snapshot',
      parents: { ...parent, order: [], joins: [], distinct: undefined, output: { kind: 'list', fields } },
    }
  }
  return { strategy: 'keys' }
}

/** The columns that the conditions set to a value, with its slot. */
function pinnedColumns(conditions: readonly Condition[]): Map<Column, number> {
  const pinned = new Map<Column, number>()
  for (const condition of conditions) {
    if (condition.kind === 'and') for (const [column, slot] of pinnedColumns(condition.items)) pinned.set(column, slot)
    if (condition.kind === 'operator' && condition.sql === '=') pinned.set(condition.column, condition.slot)
  }
  return pinned
}
