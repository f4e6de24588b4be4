/** Loads one value; may answer at once. */
export type Load = () => Promise<unknown>

/** Loads the values of several keys, in their order. */
export type LoadMany = (keys: readonly string[]) => Promise<unknown[]>

/** One caching library that has been opened. Tags are given only where it was opened with `tagged`. */
export interface CacheContestant {
  /** The value under `key`, or what `load` gives, kept for ten minutes. */
  get(key: string, load: Load, tag?: string): Promise<unknown>
  /** The values under `keys`, in their order. Absent where the library has no call for several keys. */
  getMany?(keys: readonly string[], load: LoadMany, tag?: string): Promise<unknown[]>
  /** Ends everything with this tag. Absent where the library has no tags. */
  invalidate?(tag: string): Promise<unknown>
  /** Removes the value under `key`, everywhere. */
  remove(key: string): Promise<unknown>
  close(): Promise<void>
}

/** Where the servers are. */
export interface CacheUrls {
  readonly redis: string
  readonly memcached: string
}

/** Which copies a library keeps. */
export type Tiers =
  /** In the process; for Plimsoll the tier of the process before its store, which it never does without. */
  | 'local'
  /** In the server only: every read asks it. */
  | 'shared'
  /** In the process before the server, told of each other's changes by what the library has for that. */
  | 'both'

export interface CacheOpenOptions {
  readonly urls: CacheUrls
  readonly tiers: Tiers
  /** Whether reads and fills carry a tag; libraries that pay for tags leave them off without. */
  readonly tagged: boolean
  /** Whether all values are texts, which whoever speaks to Redis by hand keeps as they are. */
  readonly texts: boolean
}

export type OpenCacheContestant = (options: CacheOpenOptions) => Promise<CacheContestant>

/** How long every contestant keeps every value. */
export const ttlMs = 600_000

/** As many as the largest tag of the suite has, so that nobody's limit decides it. */
export const mostLocalEntries = 200_000
