import { randomBytes } from 'node:crypto'

/** A version that no tag ever had: 16 characters, 96 random bits. */
export function randomVersion(): string {
  return randomBytes(12).toString('base64url')
}
