import type { Column } from '../../schema/model.ts'

// Quoting needs no thought for these, whatever the server's settings are.
const plain = /^[\w .:/+-]*$/

/**
 * The SQL literal of a value that comes from a small set the schema declares: true and false, a member of a PostgreSQL enum
 * or of a text column with Drizzle's `enum`. Undefined for anything else, which travels as a parameter.
 *
 * As a parameter such a value hides how many rows it matches, so that PostgreSQL would plan the statement anew each time it
 * runs, and could not use a partial index (`where status = 'published'`). The text is the schema's own member, never the
 * caller's string.
 */
export function constantSql(column: Column, value: unknown): string | undefined {
  const { sqlType, jsonSchema } = column.codec
  if (sqlType === 'boolean') return value === true ? 'true' : value === false ? 'false' : undefined
  if (sqlType.endsWith(']') || !Array.isArray(jsonSchema['enum'])) return undefined
  const member: unknown = jsonSchema['enum'].find((declared) => declared === value)
  return typeof member === 'string' && plain.test(member) ? `'${member}'` : undefined
}
