import { PlimsollError, showValue } from '../../core/errors.ts'

/** What a column of a sheet holds, where its values do not say so themselves. */
export type SheetColumnType = 'auto' | 'text' | 'number' | 'date' | 'datetime'

/** One column of a sheet. */
export interface SheetColumn {
  readonly header: string
  /**
   * `'date'` and `'datetime'` read texts such as `2026-11-26` too, `'number'` reads those of decimal columns, `'text'` writes everything
   * as it is spelled. Default `'auto'`: by each value.
   */
  readonly type?: SheetColumnType | undefined
  /** Its width in characters, in XLSX. Default 16. */
  readonly width?: number | undefined
}

/** A value as a sheet can show it. */
export type Cell =
  | { readonly kind: 'empty' }
  | { readonly kind: 'text'; readonly text: string }
  /** `exact`: one that has more digits than a float is worth more as a text than rounded. */
  | { readonly kind: 'number'; readonly text: string; readonly exact: boolean }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'date' | 'datetime'; readonly at: number }

const empty: Cell = { kind: 'empty' }
const decimal = /^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/

/**
 * What a value is in a sheet. Texts stay texts, whatever they begin with.
 *
 * @throws PLIMSOLL_SHEET_INVALID for what does not fit the type of its column
 */
export function toCell(value: unknown, { header, type = 'auto' }: SheetColumn): Cell {
  if (value === null || value === undefined) return empty
  if (type === 'text') return { kind: 'text', text: spell(value) }
  if (type === 'number') return toNumber(value, header)
  if (type !== 'auto') return { kind: type, at: toTime(value, header) }
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value)
        ? { kind: 'number', text: spellNumber(value), exact: false }
        : { kind: 'text', text: String(value) }
    case 'bigint':
      return { kind: 'number', text: String(value), exact: true }
    case 'boolean':
      return { kind: 'boolean', value }
    default:
      return value instanceof Date
        ? { kind: 'datetime', at: toTime(value, header) }
        : { kind: 'text', text: spell(value) }
  }
}

function spell(value: unknown): string {
  if (typeof value === 'string') return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '' : value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (typeof value !== 'object') return String(value)
  return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? ''
}

/** -0 is 0 in a sheet. */
function spellNumber(value: number): string {
  return String(value === 0 ? 0 : value)
}

function toNumber(value: unknown, header: string): Cell {
  if (typeof value === 'number' && Number.isFinite(value))
    return { kind: 'number', text: spellNumber(value), exact: false }
  if (typeof value === 'bigint') return { kind: 'number', text: String(value), exact: true }
  if (typeof value === 'string') {
    const text = value.trim()
    if (decimal.test(text)) return { kind: 'number', text: text.replace(/^\+/, ''), exact: true }
    // What PostgreSQL has in numeric columns beside numbers.
    if (/^(?:NaN|-?Infinity)$/.test(text)) return { kind: 'text', text }
  }
  if (typeof value === 'number') return { kind: 'text', text: String(value) }
  throw unfit(value, header, 'is no number')
}

/** Texts without a zone are UTC. */
function toTime(value: unknown, header: string): number {
  const at = value instanceof Date ? value.getTime() : timeOf(value)
  if (!Number.isNaN(at)) return at
  throw unfit(value, header, 'is no time')
}

function timeOf(value: unknown): number {
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return Number.NaN
  const text = value.trim().replace(' ', 'T')
  const zoned = /[zZ]$|[-+]\d\d(?::?\d\d)?$/.test(text.slice(10))
  // `+02`, as PostgreSQL writes it, is `+02:00` in ISO 8601.
  const zone = text.replace(/([-+]\d\d)$/, (match, offset: string, at: number) => (at > 10 ? `${offset}:00` : match))
  return Date.parse(text.length > 10 && !zoned ? `${text}Z` : zone)
}

function unfit(value: unknown, header: string, problem: string): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_SHEET_INVALID',
    `The column '${header}' has ${showValue(value)}, which ${problem}; give its column another type, or make it one.`,
    { details: { column: header } },
  )
}
