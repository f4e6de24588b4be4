import { PlimsollError, showValue } from './errors.ts'

/** A duration: milliseconds as a number, or text such as `'250ms'`, `'30s'`, `'5m'`, `'1h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * Turns a {@link Duration} into milliseconds. `option` names the option in the error.
 *
 * @throws PLIMSOLL_OPTION_INVALID for negative, non-finite or unreadable durations.
 */
export function parseDuration(value: Duration, option: string): number {
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value) : null
  const ms = typeof value === 'number' ? value : match ? Number(match[1]) * unitMs[match[2]!]! : Number.NaN
  if (Number.isFinite(ms) && ms >= 0) return ms
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `${option} is ${showValue(value)}; give milliseconds or text such as '250ms', '30s', '5m', '1h' or '7d'.`,
    { details: { option } },
  )
}
