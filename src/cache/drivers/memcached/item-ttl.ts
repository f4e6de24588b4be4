import { flagOf, type MetaReply } from './meta-parser.ts'

// What is longer is taken for a point in time. Nothing in a cache needs to live longer.
const mostSeconds = 30 * 24 * 60 * 60

/**
 * The TTL of an item that has to last `ms`, in the seconds that Memcached counts in. Its clock ticks once a second, so that a
 * TTL of n ends after n - 1 to n seconds: one more is asked for, and nothing ends early.
 */
export function toItemTtl(ms: number): number {
  return Math.min(mostSeconds, Math.ceil(Math.max(ms, 0) / 1000) + 1)
}

/**
 * Flags that store an item for `ms`, and beside it, as its client flags, the milliseconds by which its TTL is longer than
 * that; {@link remainingMs} takes them off again.
 */
export function ttlFlags(ms: number): string {
  const seconds = toItemTtl(ms)
  return ` T${seconds} F${Math.max(0, Math.round(seconds * 1000 - ms))}`
}

/** How long an entry has left, of an answer with the flags t and f: by the server's clock, so exact to a second. */
export function remainingMs(reply: MetaReply): number | undefined {
  const seconds = Number(flagOf(reply, 't'))
  const excess = Number(flagOf(reply, 'f'))
  return seconds >= 0 && excess >= 0 ? Math.max(0, seconds * 1000 - excess) : undefined
}
