import type { WireValue } from '../../core/wire.ts'
import type { Column } from '../model.ts'

/**
 * The one text that stands for a value in a tag, from whatever the wire is given for it; undefined when it cannot be told.
 * It is the text that PostgreSQL itself writes for the value: the tags of a write are made of that.
 */
export type CanonicalText = (value: WireValue) => string | undefined

/**
 * By the type of the column, those types whose values are equal exactly when their texts are, and whose text does not depend on
 * a setting of the session. Left out on purpose: `citext`, `char(n)` and types of one's own (equal values with other texts:
 * case, blanks, whatever their operator says), floats (0 and -0) and `numeric` (1.0 and 1.00), times, dates and intervals
 * (DateStyle, TimeZone, IntervalStyle), arrays and documents. A custom type of Drizzle with one of the types below is fine: both
 * sides see what is on the wire, behind its `toDriver`.
 */
const bySqlType: Readonly<Record<string, CanonicalText>> = {
  smallint: integerText,
  integer: integerText,
  bigint: integerText,
  uuid: uuidText,
  boolean: booleanText,
  text: plainText,
  varchar: plainText,
}

/** How values of `column` are spelled in tags; undefined for a type that has no one text per value. */
export function canonicalTextOf({ codec, isEnum }: Column): CanonicalText | undefined {
  if (codec.sqlType.endsWith(']')) return undefined
  return isEnum ? memberText : Object.hasOwn(bySqlType, codec.sqlType) ? bySqlType[codec.sqlType] : undefined
}

const canonicalInteger = /^(?:0|-?[1-9]\d*)$/
const anyInteger = /^-?\d+$/

function integerText(value: WireValue): string | undefined {
  // A number goes to the wire as `String` writes it, which for those beyond 2⁵³ is not what BigInt makes of it.
  const text =
    typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'bigint' ? String(value) : ''
  if (canonicalInteger.test(text)) return text
  return text.length <= 64 && anyInteger.test(text) ? String(BigInt(text)) : undefined
}

const canonicalUuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

function uuidText(value: WireValue): string | undefined {
  if (typeof value !== 'string') return undefined
  if (canonicalUuid.test(value)) return value
  const digits = value.replaceAll(/[{}-]/g, '').toLowerCase()
  if (!/^[0-9a-f]{32}$/.test(digits)) return undefined
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function booleanText(value: WireValue): string | undefined {
  if (value === true || value === 'true' || value === 't') return 't'
  return value === false || value === 'false' || value === 'f' ? 'f' : undefined
}

function plainText(value: WireValue): string | undefined {
  switch (typeof value) {
    case 'string':
      // Half of a surrogate pair goes to the wire as the replacement character.
      return value.toWellFormed()
    case 'number':
    case 'bigint':
      return String(value)
    case 'boolean':
      return value ? 't' : 'f'
    default:
      return undefined
  }
}

function memberText(value: WireValue): string | undefined {
  return typeof value === 'string' ? value : undefined
}
