import { parseDuration } from '../core/duration.ts'
import { isPlimsollError, PlimsollError } from '../core/errors.ts'
import { events } from '../core/events.ts'
import { randomToken } from '../core/random-token.ts'
import { parseSize } from '../core/size.ts'
import { Bumps } from './bumps.ts'
import type { CacheOptions, OpenCache } from './cache-options.ts'
import type { CacheStore } from './contract.ts'
import { openEntry, sealEntry, type OpenEntry } from './entry.ts'
import { checkNames, planKeep, timesOf, type KeepDefaults, type KeepPlan } from './keep-plan.ts'
import { Loads } from './loads.ts'
import { localEntry, LocalTier, localValue, type LocalEntry } from './local-tier.ts'
import { SharedReads, type SharedRead } from './shared-reads.ts'
import { ManySources, singleSource, type Source } from './source.ts'
import { count, Statistics } from './statistics.ts'
import { TagCells } from './tag-cells.ts'
import type { CacheStatistics, GetManyOptions, GetOptions, KeepOptions, Loader, ManyLoader } from './types.ts'
import { encodeValue } from './value-codec.ts'

/** Opens a cache on a store. */
export function openCache(options: CacheOptions): OpenCache {
  return new TieredCache(options)
}

class TieredCache implements OpenCache {
  readonly #store: CacheStore
  readonly #cells: TagCells
  readonly #local: LocalTier | undefined
  readonly #loads: Loads
  readonly #reads: SharedReads
  readonly #bumps: Bumps
  readonly #statistics: Statistics
  readonly #defaults: KeepDefaults
  readonly #windowMs: number
  readonly #compressAbove: number
  readonly #bypass: (() => boolean) | undefined
  readonly #afterCommit: NonNullable<CacheOptions['afterCommit']>
  /** Counts the keys that were removed by hand, here or elsewhere: what was read before is not kept. */
  #removals = 0
  /** The entries that are on their way into the store by hand; gone when somebody else sets or removes the key meanwhile. */
  readonly #setting = new Map<string, OpenEntry>()
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
    this.#afterCommit = options.afterCommit ?? (() => false)
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
    this.#reads = new SharedReads(store, this.#cells)
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
      if (typeof key !== 'string') checkNames('keys', [key])
      const plan = planKeep(options, this.#defaults)
      return this.#get(key, plan, { source: () => singleSource(loader), signal: options?.signal }) as Promise<T>
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
    const reader = { source: (key: string) => sources.of(key), signal: options.signal }
    const planFor = (own: readonly string[] | undefined): KeepPlan =>
      planKeep({ ...options, tags: own }, this.#defaults)
    let values: readonly unknown[]
    if (typeof tags === 'function') {
      const plans = wanted.map((key) => planFor(tags(key)))
      values = wanted.map((key, i) => this.#get(key, plans[i]!, reader))
    } else values = await this.#getAll(wanted, planFor(tags), reader)
    const settled = values.map((value, i) => {
      // Whoever loads waits for the last key that may have to be loaded too.
      if (value instanceof Promise) return value.finally(() => sources.skip(wanted[i]!))
      sources.skip(wanted[i]!)
      return value
    })
    const there = settled.some((value) => value instanceof Promise) ? await Promise.all(settled) : settled
    return new Map(wanted.map((key, i) => [key, there[i] as T]))
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
    const encoded = encodeValue(value)
    const times = timesOf(plan, encoded.kind)
    const ttlMs = times.ttlMs + times.staleMs
    // What a transaction has seen or made is not for others yet, and may never be.
    if (ttlMs <= 0 || this.#bypass?.() === true) return this.delete(key)
    try {
      const { generation, snapshot, verifiedAt } = await this.#reads.versions(plan)
      if (generation === undefined) return await this.delete(key)
      const entry = { generation, token: randomToken(), ...encoded, ...times }
      const bytes = await sealEntry(entry, entry, { ...times, compressAbove: this.#compressAbove })
      this.#forget([key])
      this.#setting.set(key, entry)
      await this.#store.put([{ key, bytes, ttlMs }])
      // Whoever has set or removed it since has the last word, though the answer to that one came first.
      if (this.#setting.get(key) !== entry) return
      this.#forget([key])
      this.#local?.put(key, localEntry(entry, { plan, snapshot, verifiedAt, counts: this.#statistics.of(key) }))
    } catch (error) {
      // Whatever keeps the new value out, the old one is not to be served any longer.
      await this.delete(key)
      if (!isPlimsollError(error, 'PLIMSOLL_CACHE_UNREACHABLE')) throw error
    }
  }

  async delete(...keys: string[]): Promise<void> {
    this.#checkOpen()
    checkNames('keys', keys)
    if (this.#afterCommit(() => this.delete(...keys))) return
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
    this.#checkOpen()
    checkNames('tags', tags)
    if (this.#afterCommit(() => this.invalidate(...tags))) return
    try {
      await this.bump(tags)
    } catch (error) {
      if (!isPlimsollError(error, 'PLIMSOLL_CACHE_UNREACHABLE')) throw error
    }
  }

  async bump(
    tags: readonly string[],
    { recorded = false }: { readonly recorded?: boolean | undefined } = {},
  ): Promise<void> {
    this.#checkOpen()
    if (tags.length > 0) await this.#bumps.bump([...new Set(tags)], { recorded })
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

  #get(key: string, plan: KeepPlan, reader: Reader): Promise<unknown> {
    this.#checkOpen()
    if (this.#bypass?.() === true) return reader.source(key).load({ signal: reader.signal ?? never })
    const entry = this.#servedLocally(key, plan, reader)
    if (entry !== undefined) return Promise.resolve(localValue(entry))
    return this.#getShared(key, plan, { ...reader, ages: this.#asksAges(plan) })
  }

  /** The values of several keys that have their tags in common; promises of those that are to be waited for. */
  async #getAll(keys: readonly string[], plan: KeepPlan, reader: Reader): Promise<unknown[]> {
    this.#checkOpen()
    if (this.#bypass?.() === true) return keys.map((key) => this.#get(key, plan, reader))
    const values = new Array<unknown>(keys.length)
    const missing: number[] = []
    for (const [i, key] of keys.entries()) {
      const entry = this.#servedLocally(key, plan, reader)
      if (entry === undefined) missing.push(i)
      else values[i] = localValue(entry)
    }
    if (missing.length === 0) return values
    const removals = this.#removals
    const ages = this.#asksAges(plan)
    const read = await this.#reads.read(
      missing.map((i) => keys[i]!),
      plan,
      ages,
    )
    for (const [at, i] of missing.entries()) {
      values[i] = this.#settle(keys[i]!, plan, { ...reader, ages, removals, read, at })
    }
    return values
  }

  /** The local copy, if it can be served; one that gets old is loaded anew meanwhile. */
  #servedLocally(key: string, plan: KeepPlan, { source }: Reader): LocalEntry | undefined {
    const entry = this.#local?.get(key)
    if (entry === undefined || !sameTags(entry, plan)) return undefined
    const now = performance.now()
    if (!this.#trusts(entry, now)) return undefined
    const fresh = now < entry.freshUntil
    if (!fresh && (plan.staleMs === 0 || now >= entry.usableUntil)) return undefined
    this.#hit(key, entry, 'local', !fresh)
    if (!fresh) this.#refresh(key, plan, { entry, source })
    else if (plan.earlyRefresh > 0) this.#refreshEarly(key, plan, { entry, source, now })
    return entry
  }

  /** Whether to ask how long entries have left: those that are kept here, or may be stale, end with their time. */
  #asksAges(plan: KeepPlan): boolean {
    return this.#local !== undefined || plan.staleMs > 0 || plan.earlyRefresh > 0
  }

  /** What the store has, or a load. */
  async #getShared(key: string, plan: KeepPlan, reader: SharedReader): Promise<unknown> {
    const removals = this.#removals
    const read = await this.#reads.read([key], plan, reader.ages)
    return this.#settle(key, plan, { ...reader, removals, read, at: 0 })
  }

  /** The value of an entry that was read, or a promise of one that is to be loaded. */
  #settle(key: string, plan: KeepPlan, reader: Settling): unknown {
    const { read, at, source, signal } = reader
    const { generation, snapshot, verifiedAt } = read
    const facts = { plan, counts: this.#statistics.of(key), snapshot, verifiedAt }
    if (generation === undefined) {
      return this.#loads.loadDirectly({ ...facts, key, source: source(key) }, signal).then(localValue)
    }
    const load = (replacing?: string): Promise<unknown> =>
      this.#loads.load({ ...facts, key, source: source(key), generation, replacing }, signal).then(localValue)
    const stored = read.entries[at]
    if (stored === undefined) return load()
    const take = (entry: OpenEntry | undefined): unknown => {
      if (entry === undefined) return load()
      // Whoever filled it lets it be stale for a time; only its age tells whether that has begun.
      if (!reader.ages && entry.staleMs > 0) return this.#getShared(key, plan, { ...reader, ages: true })
      const taken = localEntry(entry, facts, stored.remainingMs)
      const now = performance.now()
      const fresh = now < taken.freshUntil
      if (!fresh && (plan.staleMs === 0 || now >= taken.usableUntil)) return load(entry.token)
      if (reader.removals === this.#removals) this.#local?.put(key, taken)
      this.#hit(key, taken, 'shared', !fresh)
      if (!fresh) {
        const ask = { ...facts, key, source: source(key), generation, replacing: entry.token }
        this.#loads.refresh(key, async () => ask)
      } else if (plan.earlyRefresh > 0) this.#refreshEarly(key, plan, { entry: taken, source, now })
      return localValue(taken)
    }
    const opened = openEntry(stored.bytes)
    return opened instanceof Promise ? opened.then(take) : take(opened)
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
    { entry, source, now }: { readonly entry: LocalEntry; readonly source: Reader['source']; readonly now: number },
  ): void {
    if (now >= entry.freshUntil - entry.ttlMs * plan.earlyRefresh) this.#refresh(key, plan, { entry, source })
  }

  /** While the store cannot be reached the old value is served on, and a later read tries again. */
  #refresh(
    key: string,
    plan: KeepPlan,
    { entry, source }: { readonly entry: LocalEntry; readonly source: Reader['source'] },
  ): void {
    this.#loads.refresh(key, async () => {
      const { generation, snapshot, verifiedAt } = await this.#reads.versions(plan)
      if (generation === undefined || !this.#cells.isCurrent(snapshot)) return undefined
      const { counts, token: replacing } = entry
      return { key, plan, source: source(key), snapshot, verifiedAt, generation, counts, replacing }
    })
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
      this.#setting.delete(key)
      this.#local?.delete(key)
      this.#loads.drop(key)
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new PlimsollError('PLIMSOLL_CACHE_CLOSED', 'The cache was closed.')
  }
}

/** Who reads: where the value of a key comes from if nobody has it, and what ends the waiting. */
interface Reader {
  readonly source: (key: string) => Source
  readonly signal: AbortSignal | undefined
}

interface SharedReader extends Reader {
  /** Whether the store is asked how long entries have left. */
  readonly ages: boolean
}

/** A reader with what the store has answered. */
interface Settling extends SharedReader {
  readonly read: SharedRead
  /** The place of the key in what was read. */
  readonly at: number
  /** The count of removals from before the read. */
  readonly removals: number
}

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
