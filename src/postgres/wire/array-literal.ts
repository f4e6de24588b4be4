import type { WireValue } from '../../core/wire.ts'

/** The text form of a PostgreSQL array: `{1,2}`, `{"a b",NULL}`, `{{1},{2}}`; Buffers become hexadecimal bytea. */
export function toArrayLiteral(values: readonly WireValue[]): string {
  let text = '{'
  for (let index = 0; index < values.length; index++) {
    if (index > 0) text += ','
    text += toElement(values[index] as WireValue)
  }
  return `${text}}`
}

function toElement(value: WireValue): string {
  if (value === null || value === undefined) return 'NULL'
  if (typeof value === 'string') return quote(value)
  if (typeof value === 'boolean') return value ? 't' : 'f'
  if (Buffer.isBuffer(value)) return `"\\\\x${value.toString('hex')}"`
  if (Array.isArray(value)) return toArrayLiteral(value)
  return String(value)
}

function quote(text: string): string {
  return `"${/["\\]/.test(text) ? text.replace(/["\\]/g, '\\$&') : text}"`
}
