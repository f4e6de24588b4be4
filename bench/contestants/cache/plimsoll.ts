// Plimsoll as its documentation shows it: the options are written out at every read. Readers share one frozen value.
import { memcachedStore, memoryStore, redisStore } from 'plimsoll'
import { openCache, type CacheStore } from 'plimsoll/cache'
import { mostLocalEntries, type CacheUrls, type OpenCacheContestant } from './contestant.ts'

const openWith =
  (openStore: (urls: CacheUrls) => Promise<CacheStore>): OpenCacheContestant =>
  async ({ urls, tiers }) => {
    const local = tiers === 'shared' ? false : { maxEntries: mostLocalEntries, maxBytes: '256MB' as const }
    const cache = openCache({ store: await openStore(urls), local })
    return {
      get: (key, load, tag) => cache.get(key, load, tag === undefined ? { ttl: '10m' } : { ttl: '10m', tags: [tag] }),
      getMany: async (keys, load, tag) => {
        const values = await cache.getMany(keys, load, { ttl: '10m', tags: tag === undefined ? [] : [tag] })
        return keys.map((key) => values.get(key))
      },
      invalidate: (tag) => cache.invalidate(tag),
      remove: (key) => cache.delete(key),
      close: () => cache.close(),
    }
  }

export const openPlimsollMemory = openWith(async () => memoryStore())
export const openPlimsollRedis = openWith(async ({ redis }) => redisStore({ url: redis }))
export const openPlimsollMemcached = openWith(async ({ memcached }) => memcachedStore({ url: memcached }))
