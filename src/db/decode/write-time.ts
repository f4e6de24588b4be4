import { notWritten } from './write-number.ts'
import type { WriteColumn } from './write-text.ts'

const quote = 0x22
const dash = 0x2d
const dot = 0x2e
const zero = 0x30
const nine = 0x39
const plus = 0x2b

/**
 * True for `YYYY-MM-DD…` of the years 100 to 9999. JavaScript reads two-digit years as 19xx, and years beyond, BC and
 * infinity in ways of their own: those are left to it.
 */
function isPlainYear(chunk: Buffer, from: number): boolean {
  return chunk[from + 4] === dash && chunk[from] !== dash && (chunk[from] !== zero || chunk[from + 1] !== zero)
}

/** True when the text of a `timestamptz` can be taken apart by position: a plain year, in UTC. */
export function isPlainTimestamptz(chunk: Buffer, from: number, length: number): boolean {
  const end = from + length
  return (
    length >= 22 &&
    isPlainYear(chunk, from) &&
    chunk[end - 3] === plus &&
    chunk[end - 2] === zero &&
    chunk[end - 1] === zero &&
    (length === 22 || chunk[from + 19] === dot)
  )
}

/** True when the text of a `timestamp` can be taken apart by position. */
export function isPlainTimestamp(chunk: Buffer, from: number, length: number): boolean {
  return (
    length >= 19 &&
    isPlainYear(chunk, from) &&
    (length === 19 || (chunk[from + 19] === dot && chunk[from + length - 1]! <= nine))
  )
}

/** True when the text of a `date` can be taken apart by position. */
export function isPlainDate(chunk: Buffer, from: number, length: number): boolean {
  return length === 10 && chunk[from + 4] === dash && chunk[from] !== dash
}

/** `YYYY-MM-DD HH:MM:SS[.ffffff]` → `"YYYY-MM-DDTHH:MM:SS.fffZ"`; `digits` of the fraction are there. */
function writeInstant(
  target: Buffer,
  view: DataView,
  at: number,
  chunk: Buffer,
  source: DataView,
  from: number,
  digits: number,
): number {
  target[at] = quote
  view.setInt32(at + 1, source.getInt32(from, true), true)
  view.setInt32(at + 5, source.getInt32(from + 4, true), true)
  view.setInt32(at + 9, source.getInt32(from + 8, true), true)
  view.setInt32(at + 13, source.getInt32(from + 12, true), true)
  // The 'T' comes after the copy that wrote a space in its place.
  target[at + 11] = 0x54
  target[at + 17] = chunk[from + 16]!
  target[at + 18] = chunk[from + 17]!
  target[at + 19] = chunk[from + 18]!
  target[at + 20] = dot
  target[at + 21] = digits > 0 ? chunk[from + 20]! : zero
  target[at + 22] = digits > 1 ? chunk[from + 21]! : zero
  target[at + 23] = digits > 2 ? chunk[from + 22]! : zero
  target[at + 24] = 0x5a
  target[at + 25] = quote
  return at + 26
}

/** Writes a `timestamptz` of a session in UTC as ISO 8601, cut to milliseconds as Date does. */
export const writeTimestamptz: WriteColumn = (target, targetView, at, chunk, source, from, length) =>
  isPlainTimestamptz(chunk, from, length)
    ? writeInstant(target, targetView, at, chunk, source, from, length - 23)
    : notWritten

/** Writes a `timestamp`, which Drizzle takes as UTC, as ISO 8601, cut to milliseconds as Date does. */
export const writeTimestamp: WriteColumn = (target, targetView, at, chunk, source, from, length) =>
  isPlainTimestamp(chunk, from, length)
    ? writeInstant(target, targetView, at, chunk, source, from, length - 20)
    : notWritten

const midnight = Buffer.from('T00:00:00.000Z"', 'latin1')
const midnightView = new DataView(midnight.buffer, midnight.byteOffset, midnight.length)

/** Writes a `date` as ISO 8601 at midnight UTC. */
export const writeDate: WriteColumn = (target, targetView, at, chunk, source, from, length) => {
  if (!isPlainDate(chunk, from, length)) return notWritten
  target[at] = quote
  targetView.setInt32(at + 1, source.getInt32(from, true), true)
  targetView.setInt32(at + 5, source.getInt32(from + 4, true), true)
  target[at + 9] = chunk[from + 8]!
  target[at + 10] = chunk[from + 9]!
  for (let i = 0; i < 12; i += 4) targetView.setInt32(at + 11 + i, midnightView.getInt32(i, true), true)
  target[at + 23] = midnight[12]!
  target[at + 24] = midnight[13]!
  target[at + 25] = midnight[14]!
  return at + 26
}
