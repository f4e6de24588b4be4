import { aliasedTable, is, operators, SQL } from 'drizzle-orm'
import { nodePgCodecs } from 'drizzle-orm/node-postgres'
import { PgDialect } from 'drizzle-orm/pg-core'
import { PlimsollError, showValue } from '../../core/errors.ts'
import type { WireValue } from '../../core/wire.ts'
import type { Model } from '../../schema/model.ts'
import { rawAlias } from './condition.ts'

const dialect = new PgDialect({ codecs: nodePgCodecs })
const mark = '\u0000'

/** SQL of the caller's own as text pieces with a value between each two. */
export interface RawSql {
  readonly pieces: readonly string[]
  readonly values: readonly WireValue[]
}

/**
 * Renders the `RAW` of a filter: Drizzle SQL, or a function of the table and Drizzle's operators that returns it. What
 * is interpolated becomes a value, never text.
 */
export function renderRaw(model: Model, raw: unknown): RawSql {
  const made: unknown = typeof raw === 'function' ? raw(aliasedTable(model.table, rawAlias), operators) : raw
  const sql = is(made, SQL) ? made : (made as { getSQL?: () => SQL } | null)?.getSQL?.()
  if (!sql) {
    throw new PlimsollError(
      'PLIMSOLL_FILTER_INVALID',
      `RAW in a filter of '${model.key}' takes Drizzle SQL, such as (table, { sql }) => sql\`\${table.id} > 1\`, not ${showValue(made)}.`,
      { details: { model: model.key } },
    )
  }
  return renderSql(sql)
}

/** Renders Drizzle SQL into text pieces and values. */
export function renderSql(sql: SQL): RawSql {
  const query = sql.toQuery({
    escapeName: dialect.escapeName,
    escapeParam: () => mark,
    escapeString: dialect.escapeString,
    codecs: dialect.codecs,
  })
  const pieces = query.sql.split(mark)
  // A NUL of the text's own would be taken for a value.
  if (pieces.length !== query.params.length + 1) throw withNul(query.sql)
  return { pieces, values: query.params.map(toWire) }
}

function withNul(text: string): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_VALUE_INVALID',
    `${showValue(text)} in SQL has the character NUL, which PostgreSQL keeps in no text.`,
  )
}

function toWire(value: unknown): WireValue {
  if (value === null || value === undefined) return null
  if (typeof value === 'string' && value.includes(mark)) throw withNul(value)
  if (value instanceof Date) return value.toISOString()
  if (Buffer.isBuffer(value) || typeof value !== 'object') return value as WireValue
  if (Array.isArray(value)) return value.map(toWire)
  return JSON.stringify(value)
}
