// Cacheable with `useClone: false`, its faster memory: readers share one value that any of them can change. `getOrSet` knows no
// tags, so that whoever wants them writes get, load, set, as its documentation of tags does. Tags live in Redis where there is
// one, and every read asks for them there. That does not keep the copies of several processes together: once one of them has
// loaded anew, the old copy of another counts as fresh again.
import KeyvRedis from '@keyv/redis'
import { Cacheable, createKeyv, Keyv } from 'cacheable'
import { ttlMs, type Load, type OpenCacheContestant } from './contestant.ts'

export const openCacheable: OpenCacheContestant = async ({ urls, tiers, tagged }) => {
  const redis = tiers === 'local' ? undefined : new Keyv({ store: new KeyvRedis(urls.redis) })
  const memory = tiers === 'shared' ? undefined : createKeyv({ useClone: false })
  const primary = (memory ?? redis)!
  const cache = new Cacheable({ primary, tags: tagged, ...(memory && redis ? { secondary: redis } : {}) })
  const getTagged = async (key: string, load: Load, tag: string): Promise<unknown> => {
    const known = await cache.get(key)
    if (known !== undefined) return known
    const value = await load()
    await cache.set(key, value, { ttl: ttlMs, tags: [tag] })
    return value
  }
  return {
    get: (key, load, tag) =>
      tag === undefined ? cache.getOrSet(key, load, { ttl: ttlMs }) : getTagged(key, load, tag),
    async getMany(keys, load, tag) {
      const values = await cache.getMany<unknown>([...keys])
      const missing = keys.filter((_, at) => values[at] === undefined)
      if (missing.length === 0) return values
      const loaded = await load(missing)
      const tags = tag === undefined ? {} : { tags: [tag] }
      await cache.setMany(missing.map((key, at) => ({ key, value: loaded[at], ttl: ttlMs, ...tags })))
      let next = 0
      return values.map((value) => (value === undefined ? loaded[next++] : value))
    },
    ...(tagged ? { invalidate: (tag: string) => cache.tags.invalidateTag(tag) } : {}),
    remove: (key) => cache.delete(key),
    close: () => cache.disconnect(),
  }
}
