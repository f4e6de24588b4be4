// BentoCache. In memory alone with `serialize: false`, its faster driver: readers share one value that any of them can change.
// Before Redis it fails with that once a value has come from there, so that its memory holds JSON then, as by default. Its Redis
// connections pipeline by themselves, which is an option of ioredis; its bus tells other processes to drop their copies.
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { Redis } from 'ioredis'
import { mostLocalEntries, type OpenCacheContestant } from './contestant.ts'

export const openBentocache: OpenCacheContestant = async ({ urls, tiers }) => {
  const connect = (): Redis => new Redis(urls.redis, { enableAutoPipelining: true })
  const connection = tiers === 'local' ? undefined : connect()
  let store = bentostore()
  if (tiers !== 'shared') {
    store = store.useL1Layer(memoryDriver({ serialize: tiers === 'both', maxItems: mostLocalEntries }))
  }
  if (connection) store = store.useL2Layer(redisDriver({ connection }))
  if (tiers === 'both') {
    const { hostname: host, port } = new URL(urls.redis)
    store = store.useBus(redisBusDriver({ connection: { host, port: Number(port) } }))
  }
  const bento = new BentoCache({ default: 'cache', stores: { cache: store } })
  return {
    get: (key, load, tag) =>
      tag === undefined
        ? bento.getOrSet({ key, ttl: '10m', factory: load })
        : bento.getOrSet({ key, ttl: '10m', tags: [tag], factory: load }),
    invalidate: (tag) => bento.deleteByTag({ tags: [tag] }),
    remove: (key) => bento.delete({ key }),
    close: () => bento.disconnectAll(),
  }
}
