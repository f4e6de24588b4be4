import { isSQLWrapper } from 'drizzle-orm'
import { PlimsollError } from '../../core/errors.ts'
import type { WireValue } from '../../core/wire.ts'
import type { Column, Model } from '../../schema/model.ts'
import { castType } from '../compile/cast-type.ts'
import { quote } from '../compile/sql-text.ts'
import { encodeValueText } from '../filter/parse-filter.ts'

/** What one row of a bulk write sets. */
export interface BulkRow {
  readonly values: ReadonlyMap<Column, unknown>
  /** Those columns of it that nobody gave, where that makes a difference. */
  readonly made: ReadonlySet<Column>
}

/** Rows that set the same columns, and were given the same ones, in the order they came in. */
export interface BulkGroup {
  readonly columns: readonly Column[]
  readonly made: ReadonlySet<Column>
  readonly rows: BulkRow[]
}

/** Groups rows by the columns they set. */
export function groupByColumns(rows: readonly BulkRow[]): BulkGroup[] {
  const groups = new Map<string, BulkGroup>()
  for (const row of rows) {
    const { values, made } = row
    const columns = [...values.keys()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
    const key = columns.map((column) => (made.has(column) ? `[${column.key}` : column.key)).join(',')
    const group = groups.get(key)
    if (group) group.rows.push(row)
    else groups.set(key, { columns, made, rows: [row] })
  }
  return [...groups.values()]
}

/**
 * The values of a group as one array of texts per column: one statement and one plan for any number of rows.
 *
 * @throws PLIMSOLL_WRITE_INVALID for SQL, which an array cannot hold; PLIMSOLL_VALUE_INVALID
 */
export function bulkValues(model: Model, { columns, rows }: BulkGroup): WireValue[] {
  return columns.map((column) => rows.map(({ values }) => bulkText(model, column, values.get(column))))
}

function bulkText(model: Model, column: Column, value: unknown): string | null {
  if (value === null) return null
  if (!isSQLWrapper(value)) return encodeValueText(model, column, value)
  throw new PlimsollError(
    'PLIMSOLL_WRITE_INVALID',
    `'${model.key}.${column.key}' is set to SQL, which a write of many rows cannot send; use create() or update(), or give a value.`,
    { details: { model: model.key, field: column.key } },
  )
}

/** `unnest($1::text[], $2::text[]) with ordinality as "__rows"("0", "1", "n")` */
export function unnestSql(columns: readonly Column[]): string {
  const arrays = columns.map((_, i) => `$${i + 1}::text[]`)
  return `unnest(${arrays.join(', ')}) with ordinality as "__rows"(${[...columns.map((_, i) => quote(String(i))), '"n"'].join(', ')})`
}

/** `"__rows"."0"::integer` */
export function bulkColumnSql(column: Column, at: number): string {
  return `"__rows".${quote(String(at))}::${castType(column.codec.sqlType)}`
}
