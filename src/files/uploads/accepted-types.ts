import { PlimsollError, showValue } from '../../core/errors.ts'

/** Which media types are taken. */
export interface AcceptedTypes {
  /** As they were given: `image/*`, `video/mp4`. */
  readonly patterns: readonly string[]
  has(type: string): boolean
}

/**
 * Reads the option `accept`.
 *
 * @example parseAccept(['image/*', 'application/pdf']).has('image/png') // → true
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function parseAccept(accept: readonly string[]): AcceptedTypes {
  if (!Array.isArray(accept) || accept.length === 0) throw invalid(accept)
  const patterns = accept.map((pattern: unknown) => {
    if (typeof pattern !== 'string' || !/^(?:\*\/\*|[\w.+-]+\/(?:\*|[\w.+-]+))$/.test(pattern)) throw invalid(pattern)
    return pattern.toLowerCase()
  })
  const all = patterns.includes('*/*')
  const exact = new Set(patterns)
  return {
    patterns,
    has: (type) => all || exact.has(type) || exact.has(`${type.slice(0, type.indexOf('/'))}/*`),
  }
}

function invalid(value: unknown): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `accept is a list of media types such as ['image/*', 'application/pdf'], or ['*/*'] for all; ${showValue(value)} is none.`,
    { details: { option: 'accept' } },
  )
}
