import { parseDuration, type Duration } from '../core/duration.ts'
import { isPlimsollError, PlimsollError } from '../core/errors.ts'
import { events } from '../core/events.ts'
import { parseSize, type Size } from '../core/size.ts'
import { Bumps } from './bumps.ts'
import type { CacheStore } from './contract.ts'
import { generationOf, generationOfEntry, openEntry, randomToken, sealEntry } from './entry.ts'
import { planKeep, jittered, type KeepDefaults, type KeepPlan } from './keep-plan.ts'
import { Loads, type LoadAsk } from './loads.ts'
import { localEntry, LocalTier, localValue, type LocalEntry } from './local-tier.ts'
import { ReadBatch } from './read-batch.ts'
import { ManySources, singleSource, type Source } from './source.ts'
import { count, Statistics } from './statistics.ts'
import { TagCells, type Snapshot } from './tag-cells.ts'
import type { Cache, CacheStatistics, GetManyOptions, GetOptions, KeepOptions, Loader, ManyLoader } from './types.ts'
import { encodeValue } from './value-codec.ts'

/** The options of {@link openCache}. */
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
  /** How many keys have counts of their own. Default 1000. */
  readonly statistics?: { readonly keys?: number | undefined } | undefined
  /** True while the caller must see the database itself, such as inside a transaction: then nothing is served or kept. */
  readonly bypass?: (() => boolean) | undefined
  /** Called after an outage of the store, before it is used again: bumps what other processes could not. */
  readonly drain?: (() => Promise<void>) | undefined
}

/** A cache with what its owner may do beside. */
export interface OpenCache extends Cache {
  /**
   * As `invalidate`, but it tells when the store could not be told; the tags are then bumped before the store is used again by
   * this process.
   *
   * @throws PLIMSOLL_CACHE_UNREACHABLE
   */
  bump(tags: readonly string[]): Promise<void>
}

/** Opens a cache on a store. */
export function openCache(options: CacheOptions): OpenCache {
  return new TieredCache(options)
}

class TieredCache implements OpenCache {
  readonly #store: CacheStore
  readonly #cells: TagCells
  readonly #local: LocalTier | undefined
  readonly #loads: Loads
  readonly #reads: ReadBatch
  readonly #bumps: Bumps
  readonly #statistics: Statistics
  readonly #defaults: KeepDefaults
  readonly #windowMs: number
  readonly #compressAbove: number
  readonly #bypass: (() => boolean) | undefined
  /** Counts the keys that were removed by hand, here or elsewhere: what was read before is not kept. */
  #removals = 0
  #closed = false

  constructor(options: CacheOptions) {
    const { store, local = {} } = options
    this.#store = store
    this.#cells = new TagCells(options.maxTags ?? 200_000)
    this.#statistics = new Statistics(options.statistics?.keys ?? 1000)
    this.#defaults = {
      ttlMs: parseDuration(options.ttl ?? '5m', 'ttl'),
      loadTimeoutMs: parseDuration(options.loadTimeout ?? '30s', 'loadTimeout'),
    }
    this.#windowMs = parseDuration(options.localWindow ?? '100ms', 'localWindow')
    this.#compressAbove = parseSize(options.compressAbove ?? '16KB', 'compressAbove')
    this.#bypass = options.bypass
    if (local === false && !store.features.entries) throw localNeeded()
    if (local !== false) {
      this.#local = new LocalTier(this.#cells, {
        maxBytes: parseSize(local.maxBytes ?? '64MB', 'local.maxBytes'),
        maxEntries: local.maxEntries ?? 50_000,
        statistics: this.#statistics,
      })
    }
    this.#loads = new Loads(store, this.#local, {
      leaseMs: parseDuration(options.lease ?? '2s', 'lease'),
      compressAbove: this.#compressAbove,
    })
    this.#reads = new ReadBatch(store)
    this.#bumps = new Bumps(store, this.#cells)
    store.attach({
      bumped: (tags) => this.#cells.bumped(tags),
      removed: (keys) => this.#forget(keys),
      lost: () => this.#cells.lost(),
      rejoin: (way) => this.#bumps.rejoin(way, options.drain ?? (async () => {})),
    })
  }

  get<T>(key: string, loader: Loader<T>, options?: GetOptions): Promise<T> {
    try {
      return this.#get(key, options, () => singleSource(loader)) as Promise<T>
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async getMany<T>(
    keys: readonly string[],
    loader: ManyLoader<T>,
    { tags, ...options }: GetManyOptions = {},
  ): Promise<Map<string, T>> {
    const wanted = [...new Set(keys)]
    const sources = new ManySources(loader, wanted.length)
    const values = await Promise.all(
      wanted.map((key) => {
        const source = sources.of(key)
        const own = { ...options, tags: typeof tags === 'function' ? tags(key) : tags }
        const value = this.#get(key, own, () => source)
        value.then(source.skip, source.skip)
        return value as Promise<T>
      }),
    )
    return new Map(wanted.map((key, i) => [key, values[i]!]))
  }

  peek<T>(key: string): T | undefined {
    if (this.#closed || this.#bypass?.() === true) return undefined
    const now = performance.now()
    const entry = this.#local?.get(key)
    if (entry === undefined || now >= entry.freshUntil || !this.#trusts(entry, now)) return undefined
    this.#hit(key, entry, 'local', false)
    return localValue(entry) as T
  }

  async set<T>(key: string, value: T, options?: KeepOptions): Promise<void> {
    this.#checkOpen()
    const plan = planKeep(options, this.#defaults)
    const negative = value === null || value === undefined
    const ttlMs = jittered(negative ? plan.negativeTtlMs : plan.ttlMs)
    const staleMs = negative ? 0 : plan.staleMs
    const encoded = encodeValue(value)
    if (ttlMs + staleMs <= 0) return this.delete(key)
    try {
      const { versions, snapshot, verifiedAt } = await this.#versions(plan.tags)
      if (versions === undefined) return await this.delete(key)
      const stamp = { generation: generationOf(versions, plan.form), token: randomToken() }
      const times = { ttlMs, staleMs, compressAbove: this.#compressAbove }
      const bytes = await sealEntry(stamp, encoded, times)
      this.#forget([key])
      await this.#store.put([{ key, bytes, ttlMs: ttlMs + staleMs }])
      this.#forget([key])
      const about = { tags: plan.tags, form: plan.form, snapshot, verifiedAt, counts: this.#statistics.of(key) }
      const entry = { ...stamp, ...encoded, ttlMs, staleMs }
      this.#local?.put(key, localEntry(entry, { ...about, remainingMs: ttlMs + staleMs }))
    } catch (error) {
      // Whatever keeps the new value out, the old one is not to be served any longer.
      await this.delete(key)
      if (!isPlimsollError(error, 'PLIMSOLL_CACHE_UNREACHABLE')) throw error
    }
  }

  async delete(...keys: string[]): Promise<void> {
    this.#checkOpen()
    this.#forget(keys)
    try {
      await this.#store.delete(keys)
    } catch (error) {
      if (!isPlimsollError(error, 'PLIMSOLL_CACHE_UNREACHABLE')) throw error
      for (const key of keys) this.#bumps.removeLater(key)
    } finally {
      this.#forget(keys)
    }
  }

  async invalidate(...tags: string[]): Promise<void> {
    try {
      await this.bump(tags)
    } catch (error) {
      if (!isPlimsollError(error, 'PLIMSOLL_CACHE_UNREACHABLE')) throw error
    }
  }

  async bump(tags: readonly string[]): Promise<void> {
    this.#checkOpen()
    if (tags.length > 0) await this.#bumps.bump([...new Set(tags)])
  }

  statistics(): CacheStatistics {
    const { all, namespaces, keys, evictions } = this.#statistics
    return {
      ...all,
      namespaces: new Map([...namespaces].map(([name, counts]) => [name, { ...counts }])),
      keys: new Map([...(keys?.entries() ?? [])].map(([key, counts]) => [key, { ...counts }])),
      local: this.#local?.size ?? { entries: 0, bytes: 0 },
      evictions,
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#loads.settled()
    this.#local?.clear()
    await this.#store.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #get(key: string, options: GetOptions | undefined, source: () => Source): Promise<unknown> {
    this.#checkOpen()
    const plan = planKeep(options, this.#defaults)
    if (this.#bypass?.() === true) return source().load({ signal: options?.signal ?? never })
    const now = performance.now()
    const entry = this.#local?.get(key)
    if (entry !== undefined && sameTags(entry, plan) && this.#trusts(entry, now)) {
      if (now < entry.freshUntil) {
        this.#hit(key, entry, 'local', false)
        if (plan.earlyRefresh > 0) this.#refreshEarly(key, plan, { entry, source, now })
        return Promise.resolve(localValue(entry))
      }
      if (plan.staleMs > 0 && now < entry.usableUntil) {
        this.#hit(key, entry, 'local', true)
        void this.#refresh(key, plan, { entry, source })
        return Promise.resolve(localValue(entry))
      }
    }
    return this.#getShared(key, plan, { source: source(), signal: options?.signal })
  }

  /** What the store has, or a load. */
  async #getShared(
    key: string,
    plan: KeepPlan,
    { source, signal }: { readonly source: Source; readonly signal: AbortSignal | undefined },
  ): Promise<unknown> {
    const counts = this.#statistics.of(key)
    const read = await this.#read(key, plan)
    const ask = { key, plan, source, counts, snapshot: read.snapshot, verifiedAt: read.verifiedAt }
    const { versions, stored } = read
    if (versions === undefined) return localValue(await this.#loads.loadDirectly(ask))
    let replacing: string | undefined
    if (stored !== undefined && generationOfEntry(stored.bytes) === generationOf(versions, plan.form)) {
      const opened = openEntry(stored.bytes)
      const entry = opened instanceof Promise ? await opened : opened
      if (entry !== undefined) {
        const remainingMs = stored.remainingMs ?? entry.ttlMs + entry.staleMs
        const taken = localEntry(entry, { ...ask, tags: plan.tags, form: plan.form, remainingMs })
        const now = performance.now()
        const fresh = now < taken.freshUntil
        if (fresh || (plan.staleMs > 0 && now < taken.usableUntil)) {
          if (read.removals === this.#removals) this.#local?.put(key, taken)
          this.#hit(key, taken, 'shared', !fresh)
          if (!fresh) this.#loads.refresh({ ...ask, versions, replacing: entry.token })
          else if (plan.earlyRefresh > 0) this.#refreshEarly(key, plan, { entry: taken, source: () => source, now })
          else source.skip()
          return localValue(taken)
        }
        replacing = entry.token
      }
    }
    return localValue(await this.#loads.load({ ...ask, versions, replacing }, signal))
  }

  /** Reads an entry and the versions of its tags; `versions` is undefined when the store cannot be reached. */
  async #read(
    key: string,
    plan: KeepPlan,
  ): Promise<{
    readonly stored: Awaited<ReturnType<ReadBatch['read']>>['entry']
    readonly versions: readonly string[] | undefined
    readonly snapshot: Snapshot
    readonly verifiedAt: number
    readonly removals: number
  }> {
    const verifiedAt = performance.now()
    const snapshot = this.#cells.snapshot(plan.tags)
    const removals = this.#removals
    const mirrored = this.#mirrored(snapshot, verifiedAt)
    try {
      if (mirrored !== undefined) {
        const { entry } = await this.#reads.read(key, noTags)
        // An entry of another generation may be one of a bump that is still on its way here.
        if (entry === undefined || generationOfEntry(entry.bytes) === generationOf(mirrored, plan.form)) {
          return { stored: entry, versions: mirrored, snapshot, verifiedAt, removals }
        }
      }
      const { entry, versions } = await this.#reads.read(key, plan.tags)
      const complete = await this.#complete(plan.tags, versions)
      if (complete !== undefined) this.#cells.learn(snapshot, complete)
      return { stored: entry, versions: complete, snapshot, verifiedAt, removals }
    } catch (error) {
      if (!isPlimsollError(error, 'PLIMSOLL_CACHE_UNREACHABLE')) throw error
      return { stored: undefined, versions: undefined, snapshot, verifiedAt, removals }
    }
  }

  /** The versions that this process knows, if it would have been told of every bump. */
  #mirrored({ cells }: Snapshot, now: number): readonly string[] | undefined {
    const { coherence } = this.#store.features
    if (cells.length > 0 && (coherence !== 'pushed' || !this.#store.isCurrent(now))) return undefined
    const versions: string[] = []
    for (const { version } of cells) {
      if (version === undefined) return undefined
      versions.push(version)
    }
    return versions
  }

  async #versions(
    tags: readonly string[],
  ): Promise<{ versions: readonly string[] | undefined; snapshot: Snapshot; verifiedAt: number }> {
    const snapshot = this.#cells.snapshot(tags)
    const verifiedAt = performance.now()
    const { versions } = await this.#store.read([], tags)
    return { versions: await this.#complete(tags, versions), snapshot, verifiedAt }
  }

  /** Makes versions for tags that have none; undefined when one of them cannot be reached. */
  async #complete(
    tags: readonly string[],
    versions: readonly (string | undefined | null)[],
  ): Promise<readonly string[] | undefined> {
    let complete: readonly (string | undefined | null)[] = versions
    if (versions.includes(undefined)) {
      const missing = tags.filter((_, i) => versions[i] === undefined)
      const created = await this.#store.createVersions(missing)
      const made = new Map(missing.map((tag, i) => [tag, created[i]]))
      complete = tags.map((tag, i) => versions[i] ?? (versions[i] === null ? null : made.get(tag)))
    }
    return complete.every((version) => typeof version === 'string') ? complete : undefined
  }

  /** Whether a local copy can be served without asking the store. */
  #trusts(entry: LocalEntry, now: number): boolean {
    switch (this.#store.features.coherence) {
      case 'own':
        return true
      case 'pushed':
        return this.#store.isCurrent(now)
      case 'none':
        return now - entry.verifiedAt < this.#windowMs
    }
  }

  #refreshEarly(
    key: string,
    plan: KeepPlan,
    { entry, source, now }: { readonly entry: LocalEntry; readonly source: () => Source; readonly now: number },
  ): void {
    if (now >= entry.freshUntil - entry.ttlMs * plan.earlyRefresh) void this.#refresh(key, plan, { entry, source })
    else source().skip()
  }

  async #refresh(
    key: string,
    plan: KeepPlan,
    { entry, source }: { readonly entry: LocalEntry; readonly source: () => Source },
  ): Promise<void> {
    if (this.#loads.isRefreshing(key)) return source().skip()
    try {
      const snapshot = this.#cells.snapshot(plan.tags)
      const verifiedAt = performance.now()
      const { versions } = await this.#reads.read(key, plan.tags)
      const complete = await this.#complete(plan.tags, versions)
      if (complete === undefined || !this.#cells.isCurrent(snapshot)) return source().skip()
      const ask: LoadAsk = {
        key,
        plan,
        source: source(),
        snapshot,
        verifiedAt,
        versions: complete,
        counts: entry.counts,
        replacing: entry.token,
      }
      this.#loads.refresh(ask)
    } catch (error) {
      // The old value is served on; the next read tries again.
      if (!isPlimsollError(error)) throw error
    }
  }

  #hit(key: string, entry: LocalEntry, tier: 'local' | 'shared', stale: boolean): void {
    const { counts } = entry
    count(counts, 'hits')
    if (stale) count(counts, 'staleHits')
    if (events.hasSubscribers) events.publish({ type: 'cache.hit', key, tags: entry.tags, tier, stale })
  }

  #forget(keys: readonly string[]): void {
    this.#removals++
    for (const key of keys) {
      this.#local?.delete(key)
      this.#loads.drop(key)
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new PlimsollError('PLIMSOLL_CACHE_CLOSED', 'The cache was closed.')
  }
}

const noTags: readonly string[] = []
const never = new AbortController().signal

function sameTags({ tags, form }: LocalEntry, plan: KeepPlan): boolean {
  if (form !== plan.form || tags.length !== plan.tags.length) return false
  for (let i = 0; i < tags.length; i++) if (tags[i] !== plan.tags[i]) return false
  return true
}

function localNeeded(): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    'The memory store keeps its entries in the local tier: leave out local: false, or use Redis or Memcached.',
    { details: { option: 'local' } },
  )
}
