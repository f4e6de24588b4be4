import { createHmac, timingSafeEqual } from 'node:crypto'
import { PlimsollError } from '../../core/errors.ts'

/** The keys of a row as database text, in the order of the page. Text, because a JavaScript Date drops microseconds. */
export type CursorKeys = readonly (string | null)[]

/** Changes whenever older cursors must stop working. */
const version = 1
const macBytes = 16
/** The shortest secret that signs: shorter ones can be found by trying. */
export const minSecretLength = 16
/**
 * The longest cursor that is made, and so the longest that is ours. It goes into a request line beside the path and the
 * filters, and HTTP asks everyone to take 8,000 octets of that (RFC 9112, section 3). What an index can order fits: its
 * keys end at about 2,700 bytes.
 */
const maxLength = 7168

/**
 * The opaque position of a row in one list: a version, an HMAC-SHA256 (RFC 2104, cut to 128 bits) and the keys, as base64url.
 * The HMAC also covers `list`, which says the model, the order and the filters, so that a cursor opens no other list.
 * `paths` name the keys in the error.
 *
 * @throws PLIMSOLL_QUERY_INVALID when the keys are too long for a cursor.
 */
export function signCursor(
  secret: string,
  list: string,
  { keys, paths }: { keys: CursorKeys; paths: readonly string[] },
): string {
  const payload = Buffer.from(JSON.stringify(keys))
  const cursor = Buffer.concat([Buffer.of(version), mac(secret, list, payload), payload]).toString('base64url')
  if (cursor.length > maxLength) throw tooLong(keys, paths)
  return cursor
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

function tooLong(keys: CursorKeys, paths: readonly string[]): PlimsollError {
  const lengths = keys.map((key) => key?.length ?? 0)
  const length = Math.max(...lengths)
  const path = paths[lengths.indexOf(length)]!
  return new PlimsollError(
    'PLIMSOLL_QUERY_INVALID',
    `No cursor can hold the order of this page: '${path}' has a value of ${length} characters, and a cursor ends at ${maxLength}. ` +
      `Order by a shorter column, such as one that is generated as left(…, 200), or use pageNumber().`,
    { details: { field: path, length, limit: maxLength } },
  )
}

function invalid(reason: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_CURSOR_INVALID', `The cursor cannot be used: ${reason}. Start again without it.`)
}
