import { columnOf, relationOf, targetOf } from '../db/paths.ts'
import type { Column, Model, ModelGraph, Relation } from '../schema/model.ts'

/** A column at the end of relations of any kind. */
export interface FieldAt {
  readonly path: string
  readonly names: readonly string[]
  readonly relations: readonly Relation[]
  readonly column: Column
}

/**
 * Follows a dotted path through relations of any kind to a column.
 *
 * @throws PLIMSOLL_FIELD_UNKNOWN, PLIMSOLL_RELATION_UNKNOWN naming the path and what is there instead.
 */
export function fieldAt(graph: ModelGraph, model: Model, path: string): FieldAt {
  const names = path.split('.')
  let at = model
  const relations = names.slice(0, -1).map((name) => {
    const relation = relationOf(at, name, path)
    at = targetOf(graph, relation)
    return relation
  })
  return { path, names, relations, column: columnOf(at, names.at(-1)!, path) }
}

/** The filter object that says `value` of the field at `names`. */
export function nestFilter(names: readonly string[], value: unknown): Record<string, unknown> {
  return names.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as Record<string, unknown>
}
