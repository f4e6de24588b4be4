/**
 * The milliseconds that a `Retry-After` header asks to wait (RFC 9110, section 10.2.3): a number of seconds, or a date. Undefined for
 * none, and for what is neither. `now`: epoch milliseconds.
 */
export function retryAfterMs(value: string | null, now: number = Date.now()): number | undefined {
  if (value === null) return undefined
  if (/^\d{1,8}$/.test(value.trim())) return Number(value) * 1000
  const at = /^[A-Z][a-z]+,? /.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}
