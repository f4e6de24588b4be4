import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { PlimsollError } from '../../core/errors.ts'

/** The header by which an edge shows that it is one. */
const header = 'x-edge-key'

/** A shorter secret can be guessed. In characters. */
const shortest = 16

/**
 * Tells requests of an edge, which have a secret, from all others.
 *
 * @throws PLIMSOLL_OPTION_INVALID for a secret that is too short
 */
export function edgeCheck(secret: string): (request: Pick<FastifyRequest, 'headers'>) => boolean {
  if (secret.length < shortest) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `edgeKey has ${secret.length} characters; give a secret of ${shortest} or more, which the edge sends as X-Edge-Key.`,
      { details: { option: 'edgeKey' } },
    )
  }
  const known = digest(secret)
  return ({ headers }) => {
    const given = headers[header]
    return typeof given === 'string' && timingSafeEqual(digest(given), known)
  }
}

/** Of one length, so that they can be compared in a time that tells nothing. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
