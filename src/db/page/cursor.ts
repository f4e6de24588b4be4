import { createHmac, timingSafeEqual } from 'node:crypto'
import { PlimsollError } from '../../core/errors.ts'

/** The keys of a row as database text, in the order of the page. Text, because a JavaScript Date drops microseconds. */
export type CursorKeys = readonly (string | null)[]

/** Changes whenever older cursors must stop working. */
const version = 1
const macBytes = 16
/** A cursor beyond this is no cursor of ours: keys are index keys, and those end at about 2,700 bytes each. */
const maxLength = 16_384

/**
 * The opaque position of a row in one list: a version, an HMAC-SHA256 (RFC 2104, cut to 128 bits) and the keys, as base64url.
 * The HMAC also covers `list`, which says the model, the order and the filters, so that a cursor opens no other list.
 */
export function signCursor(secret: string, list: string, keys: CursorKeys): string {
  const payload = Buffer.from(JSON.stringify(keys))
  return Buffer.concat([Buffer.of(version), mac(secret, list, payload), payload]).toString('base64url')
}

/**
 * The keys of a cursor that was signed for the same list.
 *
 * @throws PLIMSOLL_CURSOR_INVALID for anything else, whatever it is.
 */
export function openCursor(
  secret: string,
  list: string,
  { cursor, keys: count }: { cursor: unknown; keys: number },
): CursorKeys {
  if (typeof cursor !== 'string' || cursor.length > maxLength || !/^[\w-]+$/.test(cursor))
    throw invalid('it is not readable')
  const bytes = Buffer.from(cursor, 'base64url')
  if (bytes[0] !== version || bytes.length < 1 + macBytes) throw invalid('it is not readable')
  // Two texts that decode to the same bytes would be two names of one page.
  if (bytes.toString('base64url') !== cursor) throw invalid('it is not readable')
  const payload = bytes.subarray(1 + macBytes)
  if (!timingSafeEqual(bytes.subarray(1, 1 + macBytes), mac(secret, list, payload))) {
    throw invalid('it was changed, or made for another list, order or filter')
  }
  const keys = JSON.parse(payload.toString()) as CursorKeys
  if (keys.length !== count) throw invalid('it was made for another order')
  return keys
}

function mac(secret: string, list: string, payload: Buffer): Buffer {
  return createHmac('sha256', secret)
    .update(`${version}\n${list.length}\n${list}\n`)
    .update(payload)
    .digest()
    .subarray(0, macBytes)
}

function invalid(reason: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_CURSOR_INVALID', `The cursor cannot be used: ${reason}. Start again without it.`)
}
