import type { Column, Model, ModelGraph, OtherForeignKey, OtherTable, ReferentialAction } from '../model.ts'
import { tableTags } from './table-tags.ts'

/** What happens to rows that others may refer to; `any` when it is not known which columns change. */
export type RowChange =
  | { readonly kind: 'delete' }
  | { readonly kind: 'update'; readonly columns: readonly { readonly name: string }[] | 'any' }
  /** TRUNCATE … CASCADE and DROP … CASCADE, which ask no foreign key what it says. */
  | { readonly kind: 'truncate' }

/** True when a change of `columns` may change rows of other tables by a foreign key. */
export function isReferredTo(graph: ModelGraph, model: Model, columns: readonly Column[]): boolean {
  return cascadeTags(graph, model, { kind: 'update', columns }).length > 0
}

/**
 * The tags of what foreign keys change in other tables behind a change of `table`, and behind those changes in turn. Which
 * rows is not known: PostgreSQL does not say.
 */
export function cascadeTags(graph: ModelGraph, table: Model | OtherTable, change: RowChange): readonly string[] {
  const tags = new Set<string>()
  const seen = new Map<Model | OtherTable, Set<string>>()
  const models = [...graph.models.values()]
  const follow = (changed: Model | OtherTable, how: RowChange): void => {
    const ways = seen.get(changed) ?? new Set()
    const way = how.kind === 'update' ? namesOf(how.columns) : how.kind
    if (ways.has(way)) return
    seen.set(changed, ways.add(way))
    for (const child of [...models, ...graph.otherTables]) {
      for (const foreignKey of child.foreignKeys) {
        const next = refersTo(foreignKey, changed) ? changeBehind(foreignKey, how) : undefined
        if (next === undefined) continue
        if (isModel(child)) {
          const { table, anyRow } = tableTags(graph, child)
          tags.add(table).add(anyRow)
        }
        follow(child, next)
      }
    }
  }
  follow(table, change)
  return [...tags]
}

function isModel(table: Model | OtherTable): table is Model {
  return 'columns' in table
}

/** What a foreign key does to its rows when those they refer to change; undefined for nothing. */
function changeBehind(foreignKey: OtherForeignKey, change: RowChange): RowChange | undefined {
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
function refersTo({ foreignTable }: OtherForeignKey, { schema, name }: Model | OtherTable): boolean {
  if (foreignTable === name) return true
  return schema === undefined ? foreignTable.endsWith(`.${name}`) : foreignTable === `${schema}.${name}`
}

function namesOf(columns: readonly { readonly name: string }[] | 'any'): string {
  return columns === 'any' ? columns : `(${columns.map(({ name }) => JSON.stringify(name)).join()})`
}
