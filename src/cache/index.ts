export type { CacheOptions, OpenCache } from './cache-options.ts'
export { openCache } from './open-cache.ts'
export type { CacheStore } from './contract.ts'
export type {
  Cache,
  CacheCounts,
  CacheStatistics,
  GetManyOptions,
  GetOptions,
  KeepOptions,
  LoadContext,
  Loader,
  ManyLoader,
} from './types.ts'
