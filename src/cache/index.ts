export { openCache, type CacheOptions, type OpenCache } from './open-cache.ts'
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
