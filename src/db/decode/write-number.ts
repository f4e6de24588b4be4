import { writeBytes, type WriteColumn } from './write-text.ts'

const minus = 0x2d
const zero = 0x30
const nine = 0x39
const quote = 0x22
const nullWord = 0x6c6c756e

/** The answer of a {@link WriteColumn} that leaves the value to `JSON.stringify`. */
export const notWritten = -1

/**
 * The longest text that is surely neither too large nor too small for a double when it has no exponent; also the longest
 * run of digits that JSON numbers may have.
 */
const mostDigits = 300

/** Writes a float or a numeric read as a number: as it is, save for NaN and infinities (null) and minus zero (0). */
export const writeFloat: WriteColumn = (target, targetView, at, chunk, source, from, length) => {
  if (length > mostDigits) return notWritten
  const first = chunk[from]!
  if (first === minus) {
    const second = chunk[from + 1]!
    if (second > nine) {
      targetView.setInt32(at, nullWord, true)
      return at + 4
    }
    if (second === zero && length === 2) {
      target[at] = zero
      return at + 1
    }
  } else if (first > nine) {
    targetView.setInt32(at, nullWord, true)
    return at + 4
  }
  return writeBytes(target, targetView, at, chunk, source, from, length)
}

/**
 * Copies JSON text when JSON.parse and JSON.stringify would give the same values back. Numbers are the only ones they
 * change: `-0`, and what a double cannot hold (exponents and very long numbers are left to them unseen).
 */
export const writeJson: WriteColumn = (target, targetView, at, chunk, source, from, length) => {
  const end = from + length
  for (let i = from; i < end; i += 1) {
    const byte = chunk[i]!
    if (byte === quote) {
      for (i += 1; i < end && chunk[i] !== quote; i += 1) if (chunk[i] === 0x5c) i += 1
    } else if (byte === minus || (byte >= zero && byte <= nine)) {
      const start = i
      if (byte === minus && chunk[i + 1] === zero) return notWritten
      for (i += 1; i < end; i += 1) {
        const digit = chunk[i]!
        if (digit === 0x65 || digit === 0x45) return notWritten
        if (digit !== 0x2e && (digit < zero || digit > nine)) break
      }
      if (i - start > mostDigits) return notWritten
      i -= 1
    }
  }
  return writeBytes(target, targetView, at, chunk, source, from, length)
}
