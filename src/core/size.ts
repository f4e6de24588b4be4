import { PlimsollError, showValue } from './errors.ts'

/** A size: bytes as a number, or text such as `'500B'`, `'16KB'`, `'5MB'`, `'2GB'`; a KB is 1024 bytes. */
export type Size = number | `${number}${'B' | 'KB' | 'MB' | 'GB' | 'TB'}`

const units: Readonly<Record<string, number>> = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3, TB: 1024 ** 4 }

/**
 * Turns a {@link Size} into bytes. `option` names the option in the error.
 *
 * @throws PLIMSOLL_OPTION_INVALID for negative, non-finite or unreadable sizes.
 */
export function parseSize(value: Size, option: string): number {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(B|KB|MB|GB|TB)$/.exec(value) : null
  const bytes = typeof value === 'number' ? value : match ? Number(match[1]) * units[match[2]!]! : Number.NaN
  if (Number.isFinite(bytes) && bytes >= 0) return Math.floor(bytes)
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `${option} is ${showValue(value)}; give bytes or text such as '500B', '16KB', '5MB' or '2GB'.`,
    { details: { option } },
  )
}
