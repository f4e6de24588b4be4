import type {} from '../../core/buffer-slices.ts'
import { isPlainDate, isPlainTimestamp, isPlainTimestamptz } from './write-time.ts'

/** Reads one value of a column that is not NULL, from its text. */
export type ReadColumn<T> = (chunk: Buffer, from: number, length: number) => T

const minus = 0x2d
const zero = 0x30
const dot = 0x2e
/** Integers of so many digits are exact doubles. */
const exactDigits = 15

/** Text as UTF-8. */
export const readText: ReadColumn<string> = (chunk, from, length) => chunk.utf8Slice(from, from + length)

/** An integer; beyond 15 digits as Number reads it. */
export const readInteger: ReadColumn<number> = (chunk, from, length) => {
  if (length > exactDigits) return Number(chunk.latin1Slice(from, from + length))
  const negative = chunk[from] === minus
  let value = 0
  for (let i = negative ? from + 1 : from, end = from + length; i < end; i += 1) value = value * 10 + (chunk[i]! - zero)
  return negative ? -value : value
}

/** Exact powers of ten, so that dividing a whole number by one rounds once, as reading the decimal does. */
const powersOfTen = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15] as const

/** A float or a numeric as a number. */
export const readFloat: ReadColumn<number> = (chunk, from, length) => {
  const negative = chunk[from] === minus
  const end = from + length
  let value = 0
  let point = -1
  let i = negative ? from + 1 : from
  if (length <= exactDigits) {
    for (; i < end; i += 1) {
      const digit = chunk[i]! - zero
      if (digit >= 0 && digit <= 9) value = value * 10 + digit
      else if (digit === dot - zero && point < 0) point = i
      else break
    }
    if (i === end) {
      const decimals = point < 0 ? 0 : end - point - 1
      const number = value / powersOfTen[decimals]!
      return negative ? -number : number
    }
  }
  return Number(chunk.latin1Slice(from, end))
}

/** A BigInt. */
export const readBigint: ReadColumn<bigint> = (chunk, from, length) =>
  length > exactDigits ? BigInt(chunk.latin1Slice(from, from + length)) : BigInt(readInteger(chunk, from, length))

/** A boolean: `t` or `f`. */
export const readBoolean: ReadColumn<boolean> = (chunk, from) => chunk[from] === 0x74

/** JSON text. */
export const readJson: ReadColumn<unknown> = (chunk, from, length) =>
  JSON.parse(chunk.utf8Slice(from, from + length)) as unknown

const dayMs = 86_400_000

/** Milliseconds of `YYYY-MM-DD`, by the days of the Gregorian calendar since March of year 0. */
function dayStart(chunk: Buffer, from: number): number {
  const year = twoDigits(chunk, from) * 100 + twoDigits(chunk, from + 2)
  const month = twoDigits(chunk, from + 5)
  const day = twoDigits(chunk, from + 8)
  // Counted from March, the leap day is the last of its year and the months follow one formula.
  const y = month > 2 ? year : year - 1
  const m = month > 2 ? month - 3 : month + 9
  const days = 365 * y + ((y / 4) | 0) - ((y / 100) | 0) + ((y / 400) | 0) + (((153 * m + 2) / 5) | 0) + day - 719_469
  return days * dayMs
}

function twoDigits(chunk: Buffer, at: number): number {
  return chunk[at]! * 10 + chunk[at + 1]! - zero * 11
}

/** `YYYY-MM-DD HH:MM:SS[.ffffff]`; `digits` of the fraction are there, and Date drops all beyond three. */
function readInstant(chunk: Buffer, from: number, digits: number): Date {
  const seconds = (twoDigits(chunk, from + 11) * 60 + twoDigits(chunk, from + 14)) * 60 + twoDigits(chunk, from + 17)
  let ms = 0
  if (digits > 0) ms = (chunk[from + 20]! - zero) * 100
  if (digits > 1) ms += (chunk[from + 21]! - zero) * 10
  if (digits > 2) ms += chunk[from + 22]! - zero
  return new Date(dayStart(chunk, from) + seconds * 1000 + ms)
}

/** A `timestamptz` of a session in UTC. */
export const readTimestamptz: ReadColumn<Date> = (chunk, from, length) =>
  isPlainTimestamptz(chunk, from, length)
    ? readInstant(chunk, from, length - 23)
    : new Date(chunk.latin1Slice(from, from + length))

/** A `timestamp`, which Drizzle takes as UTC. */
export const readTimestamp: ReadColumn<Date> = (chunk, from, length) =>
  isPlainTimestamp(chunk, from, length)
    ? readInstant(chunk, from, length - 20)
    : new Date(`${chunk.latin1Slice(from, from + length)}+0000`)

/** A `date` at midnight UTC. */
export const readDate: ReadColumn<Date> = (chunk, from, length) =>
  isPlainDate(chunk, from, length) ? new Date(dayStart(chunk, from)) : new Date(chunk.latin1Slice(from, from + length))
