import type { WireValue } from '../../core/wire.ts'
import type { Column, Model } from '../../schema/model.ts'
import { castType } from '../compile/cast-type.ts'
import { quote } from '../compile/sql-text.ts'
import { encodeValueText } from '../filter/parse-filter.ts'

/** Rows as one array of texts per column: one statement and one plan for any number of rows. */
export interface BulkValues {
  readonly columns: readonly Column[]
  readonly arrays: readonly WireValue[]
}

/** Rows that set the same columns, in the order they came in. */
export interface BulkGroup<T> {
  readonly columns: readonly Column[]
  readonly rows: T[]
}

/** The values of rows that set the same columns. */
export function bulkValues(
  model: Model,
  columns: readonly Column[],
  rows: readonly ReadonlyMap<Column, unknown>[],
): BulkValues {
  const arrays = columns.map((column) =>
    rows.map((row) => {
      const value = row.get(column)
      return value === null ? null : encodeValueText(model, column, value)
    }),
  )
  return { columns, arrays }
}

/** Groups rows by the columns they set. */
export function groupByColumns(
  rows: readonly ReadonlyMap<Column, unknown>[],
): BulkGroup<ReadonlyMap<Column, unknown>>[] {
  const groups = new Map<string, BulkGroup<ReadonlyMap<Column, unknown>>>()
  for (const row of rows) {
    const columns = [...row.keys()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
    const key = columns.map((column) => column.key).join(',')
    const group = groups.get(key)
    if (group) group.rows.push(row)
    else groups.set(key, { columns, rows: [row] })
  }
  return [...groups.values()]
}

/** `unnest($1::text[], $2::text[]) with ordinality as "new"("0", "1", "n")` */
export function unnestSql(columns: readonly Column[]): string {
  const arrays = columns.map((_, i) => `$${i + 1}::text[]`)
  return `unnest(${arrays.join(', ')}) with ordinality as "new"(${[...columns.map((_, i) => quote(String(i))), '"n"'].join(', ')})`
}

/** `"new"."0"::integer` */
export function bulkColumnSql(column: Column, at: number): string {
  return `"new".${quote(String(at))}::${castType(column.codec.sqlType)}`
}
