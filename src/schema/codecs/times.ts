import { valueInvalid, type ScalarCodec } from './scalar-codec.ts'
import { plainTextCodec } from './texts.ts'

const dateText = /^(\d{4})-(\d{2})-(\d{2})$/
// A plus sign that nobody encoded reaches us as a space.
const timestampText =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?:([Zz])|([+ -])(\d{2}):?(\d{2})?)?)?$/
const timeText = /^(\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,6})?)?$/
const timeZoneText = /^(?:Z|[+-]\d{2}(?::?\d{2})?)$/i

function isDay(year: number, month: number, day: number): boolean {
  return (
    year >= 1 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate()
  )
}

/**
 * A date as text that PostgreSQL reads. Date.prototype.toISOString writes years beyond 9999 and before 1 with six digits
 * and a sign, which PostgreSQL does not.
 */
function toPostgresDate(date: Date): string {
  const iso = date.toISOString()
  if (iso.length === 24) return iso
  const year = date.getUTCFullYear()
  const rest = iso.slice(7)
  return year > 0 ? `${year}${rest}` : `${String(1 - year).padStart(4, '0')}${rest} BC`
}

function encodeDate(value: unknown, expected: string): string {
  if (typeof value === 'string') return value
  if (value instanceof Date && !Number.isNaN(value.getTime())) return toPostgresDate(value)
  throw valueInvalid(value instanceof Date ? 'Invalid Date' : value, expected)
}

/** `date` as a Date at midnight UTC, or as text. */
export function dateCodec(mode: 'date' | 'string'): ScalarCodec {
  const expected = 'a date such as 2026-01-31'
  const parseDay = (text: string): string => {
    const match = dateText.exec(text)
    if (match && isDay(Number(match[1]), Number(match[2]), Number(match[3]))) return text
    throw valueInvalid(text, expected)
  }
  const encode = (value: unknown): string => encodeDate(value, expected)
  return mode === 'date'
    ? {
        json: 'date',
        value: 'date',
        decode: (text) => new Date(text),
        encode,
        parse: (text) => new Date(parseDay(text)),
        jsonSchema: { type: 'string', format: 'date-time' },
      }
    : {
        json: 'string',
        value: 'text',
        decode: String,
        encode,
        parse: parseDay,
        jsonSchema: { type: 'string', format: 'date' },
      }
}

/** `timestamp` and `timestamptz` as a Date, or as text. */
export function timestampCodec(type: 'timestamp' | 'timestamptz', mode: 'date' | 'string'): ScalarCodec {
  const expected = 'a date and time such as 2026-01-31T12:00:00Z'
  const encode = (value: unknown): string => encodeDate(value, expected)
  if (mode === 'string') {
    return {
      json: 'string',
      value: 'text',
      decode: String,
      encode,
      parse: (text) => parseInstant(text, expected).text,
      jsonSchema: { type: 'string' },
    }
  }
  return {
    json: type,
    value: type,
    decode: type === 'timestamptz' ? (text) => new Date(text) : (text) => new Date(`${text}+0000`),
    encode,
    parse: (text) => {
      const instant = parseInstant(text, expected)
      // A Date would drop the microseconds, and a filter from a URL must not.
      return instant.exact ? instant.date : instant.text
    },
    jsonSchema: { type: 'string', format: 'date-time' },
  }
}

/** ISO 8601 → the instant in UTC; a text without a zone is in UTC. */
function parseInstant(text: string, expected: string): { date: Date; text: string; exact: boolean } {
  const match = timestampText.exec(text)
  const part = (at: number): number => Number(match?.[at] ?? 0)
  if (
    !match ||
    !isDay(part(1), part(2), part(3)) ||
    part(4) > 23 ||
    part(5) > 59 ||
    part(6) > 59 ||
    part(10) > 15 ||
    part(11) > 59
  ) {
    throw valueInvalid(text, expected)
  }
  const offsetMinutes = (part(10) * 60 + part(11)) * (match[9] === '-' ? -1 : 1)
  const date = new Date(0)
  date.setUTCFullYear(part(1), part(2) - 1, part(3))
  date.setUTCHours(part(4), part(5) - offsetMinutes, part(6))
  const fraction = (match[7] ?? '').padEnd(6, '0').slice(0, 6)
  const year = date.getUTCFullYear()
  if (year < 1 || year > 9999) throw valueInvalid(text, expected)
  const seconds = date.toISOString().slice(0, 19)
  date.setUTCMilliseconds(Number(fraction.slice(0, 3)))
  return { date, text: `${seconds}.${fraction}Z`, exact: fraction.endsWith('000') }
}

/** `time` and `timetz`, read as text. */
export function timeCodec(withTimeZone: boolean): ScalarCodec {
  return plainTextCodec({
    expected: withTimeZone ? 'a time with its zone such as 12:30:00+02:00' : 'a time such as 12:30:00',
    accepts: (text) => {
      const match = timeText.exec(text.slice(0, withTimeZone ? zoneStart(text) : undefined))
      if (!match || Number(match[1]) > 23 || Number(match[2]) > 59 || Number(match[3] ?? 0) > 59) return false
      return !withTimeZone || zoneStart(text) === text.length || timeZoneText.test(text.slice(zoneStart(text)))
    },
    jsonSchema: { type: 'string', format: withTimeZone ? 'time' : 'local-time' },
  })
}

function zoneStart(text: string): number {
  const at = text.search(/[Zz+-]/)
  return at === -1 ? text.length : at
}

const isoDuration =
  /^-?P(?!$)(?:\d{1,6}Y)?(?:\d{1,6}M)?(?:\d{1,6}W)?(?:\d{1,8}D)?(?:T(?!$)(?:\d{1,8}H)?(?:\d{1,8}M)?(?:\d{1,8}(?:\.\d{1,6})?S)?)?$/
const unitList =
  /^(?:-?\d{1,8} (?:years?|mons?|months?|weeks?|days?|hours?|mins?|minutes?|secs?|seconds?)(?: |$))*(?:-?\d{1,8}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)?$/

/** `interval`, read as text in PostgreSQL's own style. */
export function intervalCodec(): ScalarCodec {
  return plainTextCodec({
    expected: `an interval such as P1DT2H, '1 day 02:00:00' or '90 minutes'`,
    accepts: (text) => text !== '' && (isoDuration.test(text) || unitList.test(text)),
    jsonSchema: { type: 'string' },
  })
}
