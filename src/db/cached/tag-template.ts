import type { WireValue } from '../../core/wire.ts'
import { keyTag, valuePart, type TableTags } from '../../schema/index.ts'
import { mostListedValues, type Known, type KnownValues } from './known-values.ts'

/** One way to name rows that a read depends on. */
type Candidate = (values: readonly WireValue[]) => readonly string[] | undefined

/** One table of a plan, and the ways to name its rows that matter, the finest first. */
interface TableRead {
  readonly tags: TableTags
  readonly candidates: readonly Candidate[]
}

/** The tags of a plan, made once per shape; the values make them those of a read. */
export type TagTemplate = (values: readonly WireValue[]) => readonly string[]

/** Gathers the tables that a plan reads. */
export class TagTemplateBuilder {
  readonly #fine: TableRead[] = []
  readonly #whole = new Set<TableTags>()

  /** Any rows of a table. */
  whole(tags: TableTags): void {
    this.#whole.add(tags)
  }

  /**
   * Rows of a table of which something is known. A write that changes what the plan reads of this table changes, removes or
   * adds a row that has the known value, before or after; it bumps the tag of that value, or `t*` when it knows no rows.
   */
  rows(tags: TableTags, known: Known): void {
    const candidates: Candidate[] = []
    const key = tags.key?.map(({ column }) => known.get(column))
    if (key?.every((values) => values !== undefined)) candidates.push(byKey(tags, key))
    for (const { column, prefix } of tags.columns) {
      const values = known.get(column)
      if (values) candidates.push((bound) => values.texts(bound)?.map((text) => `${prefix}${valuePart(text)}`))
    }
    if (candidates.length > 0) this.#fine.push({ tags, candidates })
    else this.whole(tags)
  }

  build(): TagTemplate {
    const always = [...this.#whole]
    const fine = this.#fine.filter(({ tags }) => !this.#whole.has(tags))
    const fixed = Object.freeze(always.map(({ table }) => table))
    if (fine.length === 0) return () => fixed
    return (values) => {
      const found = new Map<TableTags, Set<string> | undefined>()
      for (const { tags, candidates } of fine) {
        if (found.has(tags) && found.get(tags) === undefined) continue
        const named = firstOf(candidates, values)
        if (named === undefined) {
          found.set(tags, undefined)
          continue
        }
        const all = found.get(tags) ?? new Set([tags.anyRow])
        for (const tag of named) all.add(tag)
        found.set(tags, all)
      }
      const read = [...fixed]
      for (const [tags, named] of found) {
        // The table's own tag is bumped by every write: beside it the finer ones say nothing.
        if (named === undefined) read.push(tags.table)
        else read.push(...named)
      }
      return read
    }
  }
}

function firstOf(candidates: readonly Candidate[], values: readonly WireValue[]): readonly string[] | undefined {
  for (const candidate of candidates) {
    const tags = candidate(values)
    if (tags !== undefined) return tags
  }
  return undefined
}

/** The rows that have one of the known values in every column of the key: each combination of them. */
function byKey({ table }: TableTags, key: readonly KnownValues[]): Candidate {
  return (values) => {
    let combined: (string | null)[][] = [[]]
    for (const part of key) {
      const texts = part.texts(values)
      if (texts === undefined || texts.length * combined.length > mostListedValues) return undefined
      combined = combined.flatMap((before) => texts.map((text) => [...before, text]))
    }
    return combined.map((texts) => keyTag(table, texts))
  }
}
