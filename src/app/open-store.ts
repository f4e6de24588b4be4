import type { CacheStore } from '../cache/contract.ts'
import { memcachedStore } from '../cache/drivers/memcached/memcached-store.ts'
import { memoryStore, type MemoryFeed } from '../cache/drivers/memory/memory-store.ts'
import { redisStore } from '../cache/drivers/redis/redis-store.ts'
import { PlimsollError } from '../core/errors.ts'
import { redactUrl } from '../core/redact.ts'

/** The cache when nothing says where it is: in this process. */
export const memoryCache = 'memory:'

/**
 * Opens the store that a URL names: `memory:`, `redis://…`, `rediss://…` or `memcached://…`. One in memory hears of other processes by
 * `feed`.
 *
 * @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_PEER_MISSING
 */
export async function openStore(url: string, feed?: MemoryFeed): Promise<CacheStore> {
  const scheme = /^([a-z]+):/i.exec(url)?.[1]?.toLowerCase()
  if (scheme === 'memory') return memoryStore({ feed })
  if (scheme === 'redis' || scheme === 'rediss') return redisStore({ url })
  if (scheme === 'memcached') return memcachedStore({ url })
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `CACHE_URL is '${redactUrl(url)}'; give memory:, redis://host:6379, rediss://host:6379 or memcached://host:11211.`,
    { details: { option: 'cacheUrl' } },
  )
}
