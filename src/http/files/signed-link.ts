import { createHmac, timingSafeEqual } from 'node:crypto'
import { PlimsollError } from '../../core/errors.ts'

/** Signs what an address says, and checks it. Who has such an address may do what it says, and nothing else. */
export interface LinkSigner {
  /** A part of a path: `MAC`, or `MAC.EXPIRY` for one that ends. `expiresAt`: epoch milliseconds. */
  sign(words: readonly string[], expiresAt?: number): string
  /**
   * Checks a part of a path that `sign` may have made of the same words.
   *
   * @returns when it ends, if it does
   * @throws PLIMSOLL_SIGNATURE_INVALID, whatever is wrong with it
   */
  check(words: readonly string[], token: string): number | undefined
}

/** Of 256 bits so many are kept: to guess them takes 2^144 attempts. */
const characters = 24

/** Opens a signer; one of another purpose takes none of its addresses, with the same secret too. */
export function linkSigner(secret: string, purpose: string): LinkSigner {
  const key = createHmac('sha256', secret).update(`plimsoll link: ${purpose}`).digest()
  const macOf = (words: readonly string[], expiry: string): string =>
    createHmac('sha256', key)
      .update(JSON.stringify([...words, expiry]))
      .digest('base64url')
      .slice(0, characters)
  return {
    sign(words, expiresAt) {
      // In whole seconds, rounded up: it holds at least as long as was asked for.
      const expiry = expiresAt === undefined ? '' : Math.ceil(expiresAt / 1000).toString(36)
      const mac = macOf(words, expiry)
      return expiry === '' ? mac : `${mac}.${expiry}`
    },
    check(words, token) {
      const [given = '', expiry = '', ...more] = token.split('.')
      const known = Buffer.from(macOf(words, expiry))
      const said = Buffer.from(given)
      const right = said.length === known.length && timingSafeEqual(said, known) && more.length === 0
      const expiresAt = expiry === '' ? undefined : Number.parseInt(expiry, 36) * 1000
      if (!right || (expiresAt !== undefined && expiresAt <= Date.now()))
        throw new PlimsollError(
          'PLIMSOLL_SIGNATURE_INVALID',
          'The signature of this address does not hold, or not any more.',
        )
      return expiresAt
    },
  }
}
