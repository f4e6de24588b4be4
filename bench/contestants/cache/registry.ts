import type { OpenCacheContestant } from './contestant.ts'

/** In the order of the tables. Each is imported in its own processes only. */
export const cacheContestants: readonly string[] = [
  'plimsoll-memory',
  'plimsoll-redis',
  'plimsoll-memcached',
  'bentocache',
  'cacheable',
  'cache-manager',
  'ioredis',
]

/** Imports one contestant's library. */
export async function loadCacheContestant(name: string): Promise<OpenCacheContestant> {
  switch (name) {
    case 'plimsoll-memory':
      return (await import('./plimsoll.ts')).openPlimsollMemory
    case 'plimsoll-redis':
      return (await import('./plimsoll.ts')).openPlimsollRedis
    case 'plimsoll-memcached':
      return (await import('./plimsoll.ts')).openPlimsollMemcached
    case 'bentocache':
      return (await import('./bentocache.ts')).openBentocache
    case 'cacheable':
      return (await import('./cacheable.ts')).openCacheable
    case 'cache-manager':
      return (await import('./cachemanager.ts')).openCacheManager
    case 'ioredis':
      return (await import('./ioredis.ts')).openIoredis
    default:
      throw new Error(`No contestant is called '${name}'; there are ${cacheContestants.join(', ')}`)
  }
}
