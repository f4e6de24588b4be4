/**
 * How long to wait before attempt number `attempt` (from 1): doubling from `firstMs` up to `mostMs`, of which a random
 * half is taken off so that many processes do not come back at the same moment.
 */
export function backoffMs(attempt: number, limits: { readonly firstMs: number; readonly mostMs: number }): number {
  const full = Math.min(limits.mostMs, limits.firstMs * 2 ** Math.min(attempt - 1, 30))
  return full / 2 + Math.random() * (full / 2)
}
