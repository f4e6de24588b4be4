import { randomBytes } from 'node:crypto'

const length = 16

// Drawn together, since drawing costs the same for many as for one.
let drawn = ''
let at = 0

/** A text of 16 characters, 96 random bits, that nobody else has or ever had. */
export function randomToken(): string {
  if (at === drawn.length) {
    drawn = randomBytes(12 * 256).toString('base64url')
    at = 0
  }
  at += length
  return drawn.slice(at - length, at)
}
