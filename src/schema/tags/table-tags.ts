import type { Column, Model, ModelGraph } from '../model.ts'
import { canonicalTextOf, type CanonicalText } from './canonical-text.ts'
import { anyRowTag, columnPrefix, tableTag } from './tag-text.ts'

/** A column whose values are tags, or a part of one. */
export interface TagColumn {
  readonly column: Column
  readonly text: CanonicalText
  /** `posts.author_id=` */
  readonly prefix: string
}

/** The tags that one table has. */
export interface TableTags {
  /** `posts`: bumped by every write. */
  readonly table: string
  /** `posts*`: bumped by writes of rows that nobody knows. */
  readonly anyRow: string
  /** The primary key; undefined when there is none, or none that can be spelled. */
  readonly key: readonly TagColumn[] | undefined
  /** The tag columns, those that tell rows apart best first: unique ones, then foreign keys, then those that lead an index. */
  readonly columns: readonly TagColumn[]
  /** The columns that the tags of a row are made of: those of the key, then the others. */
  readonly written: readonly Column[]
}

const graphs = new WeakMap<ModelGraph, ReadonlyMap<Model, TableTags>>()

/** The tags of every model, by what the schema says alone: every process, reader or writer, must come to the same. */
export function tableTags(graph: ModelGraph, model: Model): TableTags {
  let tables = graphs.get(graph)
  if (tables === undefined) {
    tables = readGraph(graph)
    graphs.set(graph, tables)
  }
  return tables.get(model)!
}

function readGraph(graph: ModelGraph): ReadonlyMap<Model, TableTags> {
  const models = [...graph.models.values()]
  return new Map(
    models.map((model) => {
      const table = tableTag(model)
      // A table that is there as two models has the tags that both know of, since each writes what the other reads.
      const others = models.filter((other) => other !== model && tableTag(other) === table)
      return [model, tagsOf(model, others)]
    }),
  )
}

function tagsOf(model: Model, others: readonly Model[]): TableTags {
  const table = tableTag(model)
  const tagColumn = (column: Column): TagColumn | undefined => {
    const text = canonicalTextOf(column)
    return text && { column, text, prefix: columnPrefix(table, column) }
  }
  const key = model.primaryKey.map(tagColumn).filter((part) => part !== undefined)
  const names = (columns: readonly Column[]): string => columns.map(({ name }) => JSON.stringify(name)).join()
  const keyed =
    key.length > 0 &&
    key.length === model.primaryKey.length &&
    others.every((other) => names(other.primaryKey) === names(model.primaryKey) && sharesTexts(model.primaryKey, other))
  const columns = tagColumnsOf(model)
    .filter((column) => !(keyed && key.length === 1 && column === key[0]!.column))
    .filter((column) => others.every((other) => hasColumn(tagColumnsOf(other), column)))
    .map(tagColumn)
    .filter((part) => part !== undefined)
  return {
    table,
    anyRow: anyRowTag(table),
    key: keyed ? key : undefined,
    columns,
    written: [...new Set([...(keyed ? key : []), ...columns].map(({ column }) => column))],
  }
}

/** Equality on a column without an index reads the whole table anyway: a tag would cost every write and save no read. */
function tagColumnsOf(model: Model): Column[] {
  const uniques = model.uniques.filter((unique) => unique.length === 1).map(([column]) => column!)
  const references = model.foreignKeys.flatMap((foreignKey) => foreignKey.columns)
  const leading = model.indexes.map((index) => index.columns[0]!.column)
  return [...new Set([...uniques, ...references, ...leading])]
}

function sharesTexts(columns: readonly Column[], other: Model): boolean {
  return columns.every((column) => hasColumn([...other.columns.values()], column))
}

function hasColumn(columns: readonly Column[], column: Column): boolean {
  return columns.some((same) => same.name === column.name && canonicalTextOf(same) === canonicalTextOf(column))
}
