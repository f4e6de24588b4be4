import type { Column, ForeignKey, Model, ModelGraph, ReferentialAction } from '../model.ts'
import { tableTags } from './table-tags.ts'

/** What happens to rows that others may refer to; `any` when it is not known which columns change. */
export type RowChange =
  | { readonly kind: 'delete' }
  | { readonly kind: 'update'; readonly columns: readonly Column[] | 'any' }
  /** TRUNCATE … CASCADE and DROP … CASCADE, which ask no foreign key what it says. */
  | { readonly kind: 'truncate' }

/** True when a change of `columns` may change rows of other tables by a foreign key. */
export function isReferredTo(graph: ModelGraph, model: Model, columns: readonly Column[]): boolean {
  return cascadeTags(graph, model, { kind: 'update', columns }).length > 0
}

/**
 * The tags of what foreign keys change in other tables behind a change of `model`, and behind those changes in turn. Which
 * rows is not known: PostgreSQL does not say.
 */
export function cascadeTags(graph: ModelGraph, model: Model, change: RowChange): readonly string[] {
  const tags = new Set<string>()
  const seen = new Set<string>()
  const follow = (changed: Model, how: RowChange): void => {
    const key = `${changed.key} ${how.kind} ${how.kind === 'update' ? namesOf(how.columns) : ''}`
    if (seen.has(key)) return
    seen.add(key)
    for (const child of graph.models.values()) {
      for (const foreignKey of child.foreignKeys) {
        const next = refersTo(foreignKey, changed) ? changeBehind(foreignKey, how) : undefined
        if (next === undefined) continue
        const { table, anyRow } = tableTags(graph, child)
        tags.add(table).add(anyRow)
        follow(child, next)
      }
    }
  }
  follow(model, change)
  return [...tags]
}

/** What a foreign key does to its rows when those they refer to change; undefined for nothing. */
function changeBehind(foreignKey: ForeignKey, change: RowChange): RowChange | undefined {
  switch (change.kind) {
    case 'truncate':
      return change
    case 'delete':
      if (foreignKey.onDelete === 'cascade') return change
      return acts(foreignKey.onDelete) ? { kind: 'update', columns: foreignKey.columns } : undefined
    case 'update': {
      const { columns } = change
      const touched = columns === 'any' || columns.some(({ name }) => foreignKey.foreignColumns.includes(name))
      return touched && acts(foreignKey.onUpdate) ? { kind: 'update', columns: foreignKey.columns } : undefined
    }
  }
}

function acts(action: ReferentialAction): boolean {
  return action !== 'no action' && action !== 'restrict'
}

/** A table that names no schema is taken for any of its name: which one it is, the search path says. */
function refersTo({ foreignTable }: ForeignKey, { schema, name }: Model): boolean {
  if (foreignTable === name) return true
  return schema === undefined ? foreignTable.endsWith(`.${name}`) : foreignTable === `${schema}.${name}`
}

function namesOf(columns: readonly Column[] | 'any'): string {
  return columns === 'any' ? columns : columns.map(({ name }) => JSON.stringify(name)).join()
}
