import { PlimsollError, showValue } from '../core/errors.ts'

const most = 900
// Control characters, and what XML, in which stores list their keys, cannot spell.
const unwritable = /[\p{Cc}\uFFFE\uFFFF]/u

/** What no key begins with: drivers keep there what is no object, and it is in no list. */
export const ownFolder = '.plimsoll/'

/**
 * Checks that a text can name an object in every store: 1 to 900 bytes of UTF-8, parts between single slashes, none of them empty, `.` or
 * `..`, no control characters and no backslashes; not below `.plimsoll/`.
 *
 * @throws PLIMSOLL_FILE_KEY_INVALID
 */
export function checkKey(key: string): void {
  if (typeof key !== 'string' || key === '') throw invalid(key, 'it has to be a text with at least one character')
  checkText(key)
  if (key.startsWith(ownFolder)) throw invalid(key, `what begins with '${ownFolder}' is for the drivers`)
  for (const part of key.split('/')) {
    if (part === '') throw invalid(key, 'it may not begin or end with a slash, nor have two in a row')
    if (part === '.' || part === '..') throw invalid(key, `no part of it may be '${part}'`)
  }
}

/**
 * Checks the beginning of keys, which may end anywhere within one, or be empty.
 *
 * @throws PLIMSOLL_FILE_KEY_INVALID
 */
export function checkPrefix(prefix: string): void {
  if (typeof prefix !== 'string') throw invalid(prefix, 'it has to be a text')
  checkText(prefix)
}

/** True when {@link checkKey} accepts it. */
export function isKey(key: unknown): key is string {
  try {
    checkKey(key as string)
    return true
  } catch {
    return false
  }
}

function checkText(text: string): void {
  // First of all: no encoding of it would be the same text again.
  if (!text.isWellFormed()) throw invalid(text, 'it has half of a surrogate pair, which is no character')
  if (Buffer.byteLength(text) > most) throw invalid(text, `it has more than ${most} bytes`)
  if (text.includes('\\')) throw invalid(text, 'it may not have backslashes')
  if (unwritable.test(text)) throw invalid(text, 'it may not have control characters')
}

function invalid(key: unknown, reason: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_FILE_KEY_INVALID', `${showValue(key)} is no key of a file: ${reason}.`, {
    details: { reason },
  })
}
