import type { Duration } from '../core/duration.ts'
import type { Size } from '../core/size.ts'
import type { CacheStore } from './contract.ts'
import type { Cache } from './types.ts'

/** The options of `openCache`. */
export interface CacheOptions {
  /** Where entries are kept for all processes: `memoryStore()`, `redisStore(…)`, `memcachedStore(…)`. */
  readonly store: CacheStore
  /** How long values are fresh where a read does not say. Default 5 minutes. */
  readonly ttl?: Duration | undefined
  /** How long a loader may take. Default 30 s. */
  readonly loadTimeout?: Duration | undefined
  /** How long another process waits for one that has died while it loaded. Default 2 s. */
  readonly lease?: Duration | undefined
  /** The local tier; false for none, which the memory store cannot do without. Default 64 MB, 50,000 entries. */
  readonly local?:
    | { readonly maxBytes?: Size | undefined; readonly maxEntries?: number | undefined }
    | false
    | undefined
  /**
   * How long a local copy is trusted when the store cannot tell of bumps (Memcached): another process may serve what was
   * invalidated for so long. Default 100 ms; 0 for no local copies.
   */
  readonly localWindow?: Duration | undefined
  /** Payloads of at least this size are compressed in the store. Default 16 KB. */
  readonly compressAbove?: Size | undefined
  /** How many tags this process remembers. Default 200,000. */
  readonly maxTags?: number | undefined
  /** How many keys have counts of their own, at least 2 or none. Default 1000. */
  readonly statistics?: { readonly keys?: number | undefined } | undefined
  /** True while the caller must see the database itself, such as inside a transaction: then nothing is served or kept. */
  readonly bypass?: (() => boolean) | undefined
  /**
   * Has `work` done after the commit of the transaction that the caller runs in, before anybody learns of that; false where there is
   * none. What is invalidated, deleted or set inside a transaction ends then: before the commit others would load what it is about
   * to change. Default: there are none.
   */
  readonly afterCommit?: ((work: () => Promise<void>) => boolean) | undefined
  /** Called after an outage of the store, before it is used again: bumps what other processes could not. */
  readonly drain?: (() => Promise<void>) | undefined
}

/** A cache with what its owner may do beside. */
export interface OpenCache extends Cache {
  /**
   * As `invalidate`, but at once, and it tells when the store could not be told; the tags are then bumped before the store is used
   * again by this process. Those that are `recorded` elsewhere it does not remember for that: `drain` bumps them. However long an
   * outage lasts, what is written meanwhile does not pile up here. Default false.
   *
   * @throws PLIMSOLL_CACHE_UNREACHABLE
   */
  bump(tags: readonly string[], options?: { readonly recorded?: boolean | undefined }): Promise<void>
}
