/**
 * What a driver of the cache promises. A store keeps three things: *entries* (bytes under a key), *versions* (a random text
 * under a tag, another one after every bump) and *leases* (the right to load one key, for a time).
 *
 * The rules that make stale fills impossible, whatever races:
 * - Every entry begins with a *stamp* of 32 characters: 16 that name the versions of its tags as they were read before its
 *   load began (its *generation*), then the 16 of the token it was filled under. An entry whose generation is not the current
 *   one does not exist for a reader.
 * - A tag without a version gets a new random one (`createVersions`), never a fixed one: an evicted version must not bring old
 *   entries back.
 * - A fill needs the lease it was loaded under; a lease of another generation does not hold anybody up, and is taken over.
 *
 * Every method may reject with PLIMSOLL_CACHE_UNREACHABLE, within the store's time-out and at once while its breaker is open.
 */
export interface CacheStore extends AsyncDisposable {
  readonly engine: 'memory' | 'redis' | 'memcached'
  readonly features: StoreFeatures

  /** Who is told of what others change. Called once, before anything else. */
  attach(observer: StoreObserver): void

  /**
   * The entries of `keys` and the versions of `tags`, in one round trip. The versions of tags on a server that cannot be
   * reached now are `null`: what depends on them cannot be cached.
   */
  read(keys: readonly string[], tags: readonly string[], options?: ReadOptions): Promise<ReadAnswer>

  /** The versions of `tags`, made anew for those that have none. */
  createVersions(tags: readonly string[]): Promise<(string | null)[]>

  /** Asks for the right to load a key. Atomic with the look at the entry: of many that ask for one cold key, one loads. */
  acquire(ask: LeaseAsk): Promise<LeaseAnswer>

  /** Makes a lease last `leaseMs` from now; false when it is somebody else's by now. */
  renew(key: string, token: string, leaseMs: number): Promise<boolean>

  /** Stores an entry and frees its lease, if the lease is still `token`'s; else false, and nothing is stored. */
  fill(key: string, fill: Fill): Promise<boolean>

  /** Frees a lease without a fill. With `failure`, those who wait for it now are told so, once. */
  release(key: string, token: string, failure?: string): Promise<void>

  /** Stores entries whatever is there, and takes the leases of their keys from whoever loads them now. */
  put(items: readonly { readonly key: string; readonly bytes: Buffer; readonly ttlMs: number }[]): Promise<void>

  /** Removes entries, and takes their leases from whoever loads them now. */
  delete(keys: readonly string[]): Promise<void>

  /** Gives every tag a new random version. The cost depends on the number of tags, never on that of entries. */
  bump(tags: readonly string[]): Promise<void>

  /** True when no change of a version that was acknowledged `now - window` ago can have been missed. */
  isCurrent(now: number): boolean

  close(): Promise<void>
}

export interface StoreFeatures {
  /** Other processes use the same entries: a crash between a commit and its bump must be repaired. */
  readonly shared: boolean
  /** It keeps entries; else they live in the local tier alone. */
  readonly entries: boolean
  /**
   * How a local copy learns of bumps: `own` (nobody else bumps), `pushed` (the store tells, see `isCurrent`), `none` (a copy
   * may be trusted for a window only).
   */
  readonly coherence: 'own' | 'pushed' | 'none'
  /** The largest entry in bytes; larger ones are refused with PLIMSOLL_CACHE_VALUE_TOO_LARGE. */
  readonly maxEntryBytes: number
}

/** What a store tells the cache. */
export interface StoreObserver {
  /** These tags have new versions, bumped by whoever. */
  bumped(tags: readonly string[]): void
  /** The entries of these keys were replaced or removed by hand (`put`, `delete`), by another process. */
  removed(keys: readonly string[]): void
  /** Changes may have been missed: no local copy can be trusted. */
  lost(): void
  /**
   * An outage is over, of the store or of one of its servers; called before it is used again, with a way to bump and to delete
   * through it. The store stays unreachable for everything else until this resolves; when it rejects, it tries again later.
   */
  rejoin(way: Pick<CacheStore, 'bump' | 'delete'>): Promise<void>
}

export interface ReadOptions {
  /** Also asks how long each entry has left. Default false. */
  readonly ages?: boolean | undefined
}

export interface StoredEntry {
  readonly bytes: Buffer
  /** How long it has left, in milliseconds by the store's clock; undefined unless asked for. */
  readonly remainingMs: number | undefined
}

export interface ReadAnswer {
  readonly entries: readonly (StoredEntry | undefined)[]
  /** `undefined`: the tag has no version. `null`: its server cannot be reached. */
  readonly versions: readonly (string | undefined | null)[]
}

export interface LeaseAsk {
  readonly key: string
  /** 16 characters: the generation that the load belongs to. */
  readonly generation: string
  /** 16 characters that nobody else has; the same for every ask of one loader. */
  readonly token: string
  readonly leaseMs: number
  /** The token of an entry that is to be replaced although its generation is current: it is getting old. */
  readonly replacing?: string | undefined
  /** True when this has waited for a lease: it is told of the failure of the one it waited for. Default false. */
  readonly waited?: boolean | undefined
}

export type LeaseAnswer =
  /** The entry is there by now. */
  | { readonly state: 'filled'; readonly entry: StoredEntry }
  | { readonly state: 'won' }
  /** Somebody else loads; ask again later. */
  | { readonly state: 'taken' }
  /** The load that this waited for has failed. */
  | { readonly state: 'failed'; readonly message: string }

export interface Fill {
  readonly token: string
  /** Begins with the stamp. */
  readonly bytes: Buffer
  readonly ttlMs: number
}

/** The length of the stamp that every entry begins with: 16 of the generation, 16 of the token. All ASCII. */
export const stampLength = 32
