import { quote } from '../compile/sql-text.ts'
import type { Column, Model } from '../../schema/model.ts'

/** The rows of an update as they were before it, as a part of its FROM. */
export interface OldRows {
  readonly from: string
  /** Ties each to the row that is updated. */
  readonly tie: string
  /** The expressions of the columns asked for. */
  readonly columns: readonly string[]
}

const name = quote('__old')

/**
 * The rows of an update as they were, which PostgreSQL can return by itself from version 18 on only. They are locked before they
 * are read, so that a concurrent write cannot come between: what is returned is what the update overwrites. `rows` is their table
 * as `alias` and WHERE, `set` what the update sets, `target` the name of the table that is updated, by default the same as in here.
 */
export function oldRows(
  model: Model,
  {
    alias,
    set,
    columns,
    rows,
    target = alias,
  }: { alias: string; set: readonly Column[]; columns: readonly Column[]; rows: string; target?: string },
): OldRows {
  const key = model.primaryKey
  const keys = key.map((column, i) => `${alias}.${column.sql} as ${quote(`__key${i}`)}`)
  const values = columns.map((column, i) => `${alias}.${column.sql} as ${quote(`__old${i}`)}`)
  // The lock that the update takes anyway: the weaker one lets foreign keys go on referring to the rows.
  const isKey = model.uniques.some((unique) => unique.some((column) => set.includes(column)))
  const lock = isKey ? 'for update' : 'for no key update'
  return {
    from: `(select ${[...keys, ...values].join(', ')} from ${rows} ${lock} of ${alias}) as ${name}`,
    tie: key.map((column, i) => `${target}.${column.sql} = ${name}.${quote(`__key${i}`)}`).join(' and '),
    columns: columns.map((_, i) => `${name}.${quote(`__old${i}`)}`),
  }
}
