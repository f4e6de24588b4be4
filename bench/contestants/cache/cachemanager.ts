// cache-manager on the stores that its documentation recommends: Cacheable's memory with `useClone: false`, whose readers share
// one value that any of them can change, before Keyv's Redis. It has no tags, and nothing that tells one process of another.
import KeyvRedis from '@keyv/redis'
import { createCache } from 'cache-manager'
import { createKeyv, Keyv } from 'cacheable'
import { ttlMs, type OpenCacheContestant } from './contestant.ts'

export const openCacheManager: OpenCacheContestant = async ({ urls, tiers }) => {
  const memory = tiers === 'shared' ? [] : [createKeyv({ useClone: false })]
  const redis = tiers === 'local' ? [] : [new Keyv({ store: new KeyvRedis(urls.redis) })]
  const cache = createCache({ stores: [...memory, ...redis], ttl: ttlMs })
  return {
    get: (key, load) => cache.wrap(key, load),
    async getMany(keys, load) {
      const values = await cache.mget<unknown>([...keys])
      const missing = keys.filter((_, at) => values[at] === undefined)
      if (missing.length === 0) return values
      const loaded = await load(missing)
      await cache.mset(missing.map((key, at) => ({ key, value: loaded[at] })))
      let next = 0
      return values.map((value) => (value === undefined ? loaded[next++] : value))
    },
    remove: (key) => cache.del(key),
    async close() {
      await cache.disconnect()
    },
  }
}
