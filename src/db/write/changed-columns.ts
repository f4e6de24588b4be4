import { isReferredTo, tableTags, type TableTags } from '../../schema/index.ts'
import type { Column, Model, ModelGraph } from '../../schema/model.ts'

/** What an update that sets some columns does to the tags of its rows. */
export interface ColumnChange {
  readonly tags: TableTags
  /** True when a row may have other tags afterwards, so that it has to be seen before too. */
  readonly moves: boolean
  /** The columns that change, when foreign keys of other tables may follow them. */
  readonly cascade: 'none' | readonly Column[]
}

/**
 * What setting `columns` changes: them, and what the database computes from others. What a trigger sets beside that is not known
 * here; a tag column that a trigger changes is a table to invalidate by hand.
 */
export function columnChange(graph: ModelGraph, model: Model, columns: readonly Column[]): ColumnChange {
  const tags = tableTags(graph, model)
  const changed = [...columns, ...[...model.columns.values()].filter((column) => column.computed)]
  return {
    tags,
    moves: tags.written.some((column) => changed.includes(column)),
    cascade: isReferredTo(graph, model, changed) ? changed : 'none',
  }
}
