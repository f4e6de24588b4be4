import { PlimsollError, showValue } from '../core/errors.ts'
import type { GetOptions } from './contract.ts'

/** A part of an object, both ends of which belong to it. Of an empty object it is `{ first: 0, last: -1 }`. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/**
 * Checks a range before the size of its object is known.
 *
 * @throws PLIMSOLL_FILE_RANGE_INVALID
 */
export function checkRange(range: GetOptions['range']): void {
  if (range === undefined) return
  const { first, last = first } = range
  if (Number.isSafeInteger(first) && Number.isSafeInteger(last) && first >= 0 && last >= first) return
  throw invalid(range, 'it has to go from 0 or a later byte to that byte or a later one')
}

/**
 * The bytes of an object of `size` that a range means; all of them without one.
 *
 * @throws PLIMSOLL_FILE_RANGE_INVALID when it begins behind the end
 */
export function rangeWithin(range: GetOptions['range'], size: number): ByteRange {
  checkRange(range)
  if (range === undefined) return { first: 0, last: size - 1 }
  if (range.first >= size) throw invalid(range, `the file has ${size} bytes`)
  return { first: range.first, last: Math.min(range.last ?? size - 1, size - 1) }
}

function invalid(range: GetOptions['range'], reason: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_FILE_RANGE_INVALID', `The range ${showValue(range)} cannot be read: ${reason}.`, {
    details: { range, reason },
  })
}
