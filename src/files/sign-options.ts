import { parseDuration, type Duration } from '../core/duration.ts'
import { PlimsollError, showValue } from '../core/errors.ts'
import { parseSize, type Size } from '../core/size.ts'
import type { SignPostOptions } from './contract.ts'
import { checkKey } from './object-key.ts'

const mostSeconds = 7 * 24 * 3600

/**
 * How long a signature of version 4 holds, in seconds.
 *
 * @throws PLIMSOLL_OPTION_INVALID for less than a second or more than 7 days
 */
export function secondsOf(expires: Duration): number {
  const seconds = Math.floor(parseDuration(expires, 'expires') / 1000)
  if (seconds >= 1 && seconds <= mostSeconds) return seconds
  throw invalid('expires', `expires is ${showValue(expires)}; give '1s' to '7d'`)
}

/**
 * How many bytes a size is that is signed exactly; a number is checked by whoever announces it.
 *
 * @throws PLIMSOLL_OPTION_INVALID for a text that is none
 */
export function bytesOf(size: Size, option: string): number {
  return typeof size === 'number' ? size : parseSize(size, option)
}

/**
 * Checks how many bytes a form may send.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function checkSizes(options: SignPostOptions): { readonly minBytes: number; readonly maxBytes: number } {
  const minBytes = bytesOf(options.minBytes ?? 0, 'minBytes')
  const maxBytes = bytesOf(options.maxBytes, 'maxBytes')
  if (Number.isSafeInteger(minBytes) && Number.isSafeInteger(maxBytes) && minBytes >= 0 && maxBytes >= minBytes) {
    return { minBytes, maxBytes }
  }
  throw invalid(
    'maxBytes',
    `The form takes ${showValue(minBytes)} to ${showValue(maxBytes)} bytes; give two sizes in order`,
  )
}

/**
 * Checks a key that a form stores at. Services put the name of the file where a key says `${filename}`.
 *
 * @throws PLIMSOLL_FILE_KEY_INVALID
 */
export function checkFormKey(key: string): void {
  checkKey(key)
  if (!key.includes('${')) return
  throw new PlimsollError('PLIMSOLL_FILE_KEY_INVALID', `A form cannot store at ${showValue(key)}: it has \${ in it.`, {
    details: { key },
  })
}

function invalid(option: string, message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${message}.`, { details: { option } })
}
