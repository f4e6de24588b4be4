import { PlimsollError, showValue } from '../core/errors.ts'
import type { ListOptions, PutOptions } from './contract.ts'
import { checkKey, checkPrefix } from './object-key.ts'
import { checkFacts, type CheckedFacts } from './object-facts.ts'

const mostListed = 1000

/**
 * Checks where and with what an object is to be stored; what is announced of its bytes is checked by `checkAnnounced`.
 *
 * @throws PLIMSOLL_FILE_KEY_INVALID, PLIMSOLL_FILE_FACTS_INVALID, PLIMSOLL_OPTION_INVALID
 */
export function checkPut(key: string, options: PutOptions): CheckedFacts {
  checkKey(key)
  if (options.ifAbsent === true && options.ifMatch !== undefined) {
    throw invalid('ifMatch', 'ifAbsent and ifMatch contradict each other; give one of them')
  }
  return checkFacts(options)
}

/**
 * Checks which objects are to be listed.
 *
 * @throws PLIMSOLL_FILE_KEY_INVALID, PLIMSOLL_OPTION_INVALID
 */
export function checkListing(
  prefix: string,
  { size = mostListed, after }: ListOptions,
): { readonly size: number; readonly after: string | undefined } {
  checkPrefix(prefix)
  if (after !== undefined) checkKey(after)
  if (Number.isInteger(size) && size >= 1 && size <= mostListed) return { size, after }
  throw invalid('size', `size is ${showValue(size)}; give a number from 1 to ${mostListed}`)
}

/**
 * Checks the number of a part, and where it is to lie.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function checkPart(
  number: number,
  { offset, mostParts }: { readonly offset: number | undefined; readonly mostParts: number },
): void {
  if (!(Number.isInteger(number) && number >= 1 && number <= mostParts))
    throw invalid('number', `The part has the number ${showValue(number)}; give one from 1 to ${mostParts}`)
  if (offset !== undefined && !(Number.isSafeInteger(offset) && offset >= 0))
    throw invalid('offset', `The offset of the part is ${showValue(offset)}; give a number of bytes`)
}

function invalid(option: string, message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${message}.`, { details: { option } })
}
