import { PlimsollError, showValue } from '../core/errors.ts'
import type { SignPostOptions } from './contract.ts'
import { checkKey } from './object-key.ts'

const mostSeconds = 7 * 24 * 3600

/**
 * How long a signature of version 4 holds, in seconds.
 *
 * @throws PLIMSOLL_OPTION_INVALID for less than a second or more than 7 days
 */
export function secondsOf(expiresMs: number): number {
  const seconds = Math.floor(expiresMs / 1000)
  if (seconds >= 1 && seconds <= mostSeconds) return seconds
  throw invalid('expires', `The address is to expire in ${showValue(expiresMs)} ms; give 1 second to 7 days`)
}

/**
 * Checks how many bytes a form may send.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function checkSizes({ minBytes = 0, maxBytes }: SignPostOptions): {
  readonly minBytes: number
  readonly maxBytes: number
} {
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
