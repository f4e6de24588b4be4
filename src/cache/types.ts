import type { Duration } from '../core/duration.ts'

/** What a loader is handed. */
export interface LoadContext {
  /** Aborted when the load takes longer than `loadTimeout`, and when nobody waits for it any more. */
  readonly signal: AbortSignal
}

/** Loads the value of one key. */
export type Loader<T> = (context: LoadContext) => T | Promise<T>

/** Loads the values of several keys: in the order of `keys`, or by key; a key without a value has none (`undefined`). */
export type ManyLoader<T> = (
  keys: readonly string[],
  context: LoadContext,
) => Promise<readonly T[] | ReadonlyMap<string, T>> | readonly T[] | ReadonlyMap<string, T>

/** How long a value is kept, and what ends it sooner. */
export interface KeepOptions {
  /** How long it is fresh, give or take 5 % so that keys that were filled together do not end together. Default: the cache's `ttl`. */
  readonly ttl?: Duration | undefined
  /**
   * How long after `ttl` it may still be served: while one reader loads it anew, and when that fails. Never after one of its
   * tags was invalidated. Default 0.
   */
  readonly stale?: Duration | undefined
  /** What it depends on: `invalidate` of any of them ends it. Default: none. */
  readonly tags?: readonly string[] | undefined
  /** How long `null` and `undefined` are kept; 0 to keep them not at all. Default: as long as any value. */
  readonly negativeTtl?: Duration | undefined
  /** The version of its form: a deploy that gives another misses what others keep, and keeps what it loads instead. Default none. */
  readonly version?: string | number | undefined
}

/** How a value is read. */
export interface GetOptions extends KeepOptions {
  /** Ends the waiting of this reader alone; the load goes on while others wait for it. */
  readonly signal?: AbortSignal | undefined
  /** How long a loader may take before it fails with PLIMSOLL_CACHE_LOAD_TIMEOUT. Default: the cache's `loadTimeout`. */
  readonly loadTimeout?: Duration | undefined
  /**
   * The last part of `ttl`, from 0 to 1, in which one reader loads the value anew while everybody is served the old one.
   * Default 0: nobody does.
   */
  readonly earlyRefresh?: number | undefined
}

export interface GetManyOptions extends Omit<GetOptions, 'tags'> {
  /** Tags of all, or of each key. */
  readonly tags?: readonly string[] | ((key: string) => readonly string[]) | undefined
}

/** Counts since the cache was opened. */
export interface CacheCounts {
  readonly hits: number
  /** Those of the hits that were stale. */
  readonly staleHits: number
  readonly misses: number
  readonly loads: number
  readonly failures: number
  /** Reads that waited for somebody else's load. */
  readonly waits: number
}

export interface CacheStatistics extends CacheCounts {
  /** By the part of the key before its first colon. At most 1000; what comes later counts under `*`. */
  readonly namespaces: ReadonlyMap<string, CacheCounts>
  /** The keys that were read last: `statistics.keys` of them, or half as many. */
  readonly keys: ReadonlyMap<string, CacheCounts>
  readonly local: { readonly entries: number; readonly bytes: number }
  /** Entries that left the local tier to make room. */
  readonly evictions: number
}

/** Values under keys, each loaded once however many ask for it, and never served after one of its tags was invalidated. */
export interface Cache extends AsyncDisposable {
  /**
   * The value under `key`, or what `loader` gives. What comes back is frozen, or a copy of the caller's own where it holds what
   * cannot be frozen.
   *
   * @throws what `loader` throws; PLIMSOLL_CACHE_LOAD_TIMEOUT, PLIMSOLL_CACHE_LOAD_FAILED, PLIMSOLL_CACHE_VALUE_INVALID
   * @example
   * const rate = await cache.get('fx:eur', () => fetchRate(), { ttl: '1h', stale: '1d', tags: ['fx'] })
   */
  get<T>(key: string, loader: Loader<T>, options?: GetOptions): Promise<T>
  /** The values under `keys` in one round trip; `loader` is called once for those that are missing. */
  getMany<T>(keys: readonly string[], loader: ManyLoader<T>, options?: GetManyOptions): Promise<Map<string, T>>
  /** The value under `key` if this process has it, it is fresh, and no tag of it was invalidated; waits for nothing. */
  peek<T>(key: string): T | undefined
  /**
   * Keeps a value; inside a transaction it only ends the one before. Prefer `get`: only it knows what was invalidated while the value
   * was made.
   */
  set<T>(key: string, value: T, options?: KeepOptions): Promise<void>
  /** Removes values by key, everywhere; inside a transaction after its commit. */
  delete(...keys: string[]): Promise<void>
  /** Ends every value with one of these tags, everywhere, and every load of one that is under way; inside a transaction after its commit. */
  invalidate(...tags: string[]): Promise<void>
  statistics(): CacheStatistics
  /** Waits for loads that are under way; then frees what the cache holds. */
  close(): Promise<void>
}
