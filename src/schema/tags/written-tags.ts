import type { Model, ModelGraph } from '../model.ts'
import { cascadeTags } from './cascades.ts'
import { tableTags, type TableTags } from './table-tags.ts'
import { keyTag, valuePart } from './tag-text.ts'

/** A write of more rows than this bumps the table's tags instead of every row's: bumps cost the cache, row by row. */
export const mostWrittenRows = 100

/** The tags of a write of rows that nobody knows: all that was read of the table ends. */
export function unknownRowTags({ table, anyRow }: TableTags): readonly string[] {
  return [table, anyRow]
}

/**
 * The tags of a write of known rows. `rows` are the database's own texts of the columns `written` of the table, of every row as
 * it is, and of every row as it was where that may differ.
 */
export function writtenRowTags(tags: TableTags, rows: Iterable<readonly (string | null)[]>): readonly string[] {
  const { table, key, columns, written } = tags
  const keyAt = key?.map(({ column }) => written.indexOf(column))
  const columnAt = columns.map(({ column }) => written.indexOf(column))
  const bumped = new Set<string>()
  for (const texts of rows) {
    bumped.add(table)
    if (keyAt)
      bumped.add(
        keyTag(
          table,
          keyAt.map((at) => texts[at]!),
        ),
      )
    for (const [i, { prefix }] of columns.entries()) bumped.add(`${prefix}${valuePart(texts[columnAt[i]!]!)}`)
  }
  return [...bumped]
}

/**
 * The tags of a write whose outcome is not known, the worst it can have done: any rows of the table, and whatever foreign keys do
 * behind that.
 */
export function worstTags(graph: ModelGraph, model: Model): readonly string[] {
  let tags = worst.get(model)
  if (tags === undefined) {
    const behind = (['delete', 'update'] as const).flatMap((kind) =>
      cascadeTags(graph, model, { kind, columns: 'any' }),
    )
    tags = Object.freeze([...new Set([...unknownRowTags(tableTags(graph, model)), ...behind])])
    worst.set(model, tags)
  }
  return tags
}

// A model belongs to one graph.
const worst = new WeakMap<Model, readonly string[]>()
