import { backoffMs } from '../../../core/backoff.ts'
import { PlimsollError } from '../../../core/errors.ts'
import type {
  CacheStore,
  Fill,
  LeaseAnswer,
  LeaseAsk,
  ReadAnswer,
  StoreFeatures,
  StoreObserver,
} from '../../contract.ts'
import { randomToken } from '../../../core/random-token.ts'
import { LateLru } from '../../late-lru.ts'

/** How the memory stores of several processes tell each other of what they change. */
export interface MemoryFeed {
  /** False once it is known that nothing will be heard here: then this store is as good as alone. */
  readonly hears: boolean
  /** Who is told of what the others change; called once. */
  attach(listener: Pick<StoreObserver, 'bumped' | 'removed' | 'lost'>): void
  /** See {@link CacheStore.isCurrent}. */
  isCurrent(now: number): boolean
  /**
   * Tells the others, and resolves when they cannot miss it.
   *
   * @throws PLIMSOLL_CACHE_UNREACHABLE
   */
  tell(what: { readonly tags?: readonly string[]; readonly keys?: readonly string[] }): Promise<void>
  close(): Promise<void>
}

/** The options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /** How many tags have versions. What depends on the one that was used longest ago ends when there are more. Default 200,000. */
  readonly maxTags?: number | undefined
  /** Where other processes are heard that write to the same database. Default: there are none. */
  readonly feed?: MemoryFeed | undefined
}

/**
 * Versions and leases in the memory of this process. It keeps no entries: the local tier of the cache does. With a `feed` it hears
 * what other processes bump, and cannot be used while it may miss any of it.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 * @example
 * const cache = openCache({ store: memoryStore() })
 */
export function memoryStore(options: MemoryStoreOptions = {}): CacheStore {
  const { maxTags = 200_000, feed } = options
  if (Number.isInteger(maxTags) && maxTags > 0) return new MemoryStore(maxTags, feed)
  throw new PlimsollError('PLIMSOLL_OPTION_INVALID', `maxTags is ${maxTags}; give a whole number from 1.`, {
    details: { option: 'maxTags' },
  })
}

/** Whoever loads, or why a load has failed. */
interface Lease {
  readonly token: string | undefined
  readonly generation: string
  readonly failure: string | undefined
  /** By the clock of `performance.now()`, which nobody sets. */
  until: number
}

/** How long those who wait for a load are told that it has failed. They ask several times in that time. */
const failureKeptMs = 1000

const retry = { firstMs: 100, mostMs: 5000 }
const alone: StoreFeatures = {
  shared: false,
  entries: false,
  coherence: 'own',
  maxEntryBytes: Number.POSITIVE_INFINITY,
}
const among: StoreFeatures = { ...alone, coherence: 'pushed' }

class MemoryStore implements CacheStore {
  readonly engine = 'memory'
  readonly #feed: MemoryFeed | undefined
  readonly #versions: LateLru<string>
  readonly #leases = new Map<string, Lease>()
  #observer: StoreObserver | undefined
  /** How often in a row the others could not be told. */
  #failures = 0
  #retelling: NodeJS.Timeout | undefined
  #closed = false

  constructor(maxTags: number, feed: MemoryFeed | undefined) {
    this.#feed = feed
    this.#versions = new LateLru({
      max: maxTags,
      dispose: (_version, tag, reason) => {
        if (reason === 'evict') this.#observer?.bumped([tag])
      },
    })
  }

  get features(): StoreFeatures {
    return this.#feed?.hears ? among : alone
  }

  attach(observer: StoreObserver): void {
    this.#observer = observer
    this.#feed?.attach({
      bumped: (tags) => {
        // Only those that it has: the tags of all processes are more than this one reads.
        for (const tag of tags) this.#versions.delete(tag)
        observer.bumped(tags)
      },
      removed: (keys) => {
        this.#drop(keys)
        observer.removed(keys)
      },
      lost: () => {
        // Loads that are under way are of versions that nobody reads with any more.
        this.#versions.clear()
        observer.lost()
      },
    })
  }

  async read(keys: readonly string[], tags: readonly string[]): Promise<ReadAnswer> {
    const known = this.isCurrent(performance.now())
    return {
      entries: keys.map(() => undefined),
      versions: tags.map((tag) => (known ? this.#versions.get(tag) : null)),
    }
  }

  async createVersions(tags: readonly string[]): Promise<string[]> {
    return tags.map((tag) => {
      const version = this.#versions.get(tag) ?? randomToken()
      this.#versions.set(tag, version)
      return version
    })
  }

  async acquire({ key, generation, token, leaseMs, waited = false }: LeaseAsk): Promise<LeaseAnswer> {
    const now = performance.now()
    this.#sweep(now)
    const lease = this.#leases.get(key)
    if (lease !== undefined && lease.until > now && lease.generation === generation) {
      if (lease.failure !== undefined) {
        if (waited) return { state: 'failed', message: lease.failure }
      } else if (lease.token !== token) return { state: 'taken' }
    }
    this.#keep(key, { token, generation, failure: undefined, until: now + leaseMs })
    return { state: 'won' }
  }

  async renew(key: string, token: string, leaseMs: number): Promise<boolean> {
    const lease = this.#held(key, token)
    if (lease === undefined) return false
    this.#keep(key, { ...lease, until: performance.now() + leaseMs })
    return true
  }

  async fill(key: string, { token }: Fill): Promise<boolean> {
    return this.#held(key, token) !== undefined && this.#leases.delete(key)
  }

  async release(key: string, token: string, failure?: string): Promise<void> {
    const lease = this.#held(key, token)
    if (lease === undefined) return
    if (failure === undefined) this.#leases.delete(key)
    else this.#keep(key, { ...lease, token: undefined, failure, until: performance.now() + failureKeptMs })
  }

  put(items: readonly { readonly key: string }[]): Promise<void> {
    return this.delete(items.map(({ key }) => key))
  }

  async delete(keys: readonly string[]): Promise<void> {
    this.#drop(keys)
    await this.#tell({ keys })
  }

  async bump(tags: readonly string[]): Promise<void> {
    for (const tag of tags) this.#versions.set(tag, randomToken())
    this.#observer?.bumped(tags)
    await this.#tell({ tags })
  }

  isCurrent(now: number): boolean {
    const feed = this.#feed
    return feed === undefined || !feed.hears || feed.isCurrent(now)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retelling)
    this.#leases.clear()
    await this.#feed?.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #drop(keys: readonly string[]): void {
    for (const key of keys) this.#leases.delete(key)
  }

  /** Tells the others; when it fails, the cache is asked for what they were not told, until they are. */
  async #tell(what: Parameters<MemoryFeed['tell']>[0]): Promise<void> {
    if (this.#feed === undefined) return
    try {
      await this.#feed.tell(what)
      this.#failures = 0
    } catch (error) {
      this.#retellLater()
      throw error
    }
  }

  #retellLater(): void {
    if (this.#closed || this.#retelling !== undefined) return
    const retell = async (): Promise<void> => {
      this.#retelling = undefined
      const way = {
        bump: (tags: readonly string[]) => this.bump(tags),
        delete: (keys: readonly string[]) => this.delete(keys),
      }
      await this.#observer?.rejoin(way).catch(() => this.#retellLater())
    }
    this.#retelling = setTimeout(() => void retell(), backoffMs(++this.#failures, retry)).unref()
  }

  #held(key: string, token: string): Lease | undefined {
    const lease = this.#leases.get(key)
    return lease?.token === token && lease.until > performance.now() ? lease : undefined
  }

  /** Puts it last: the first ones were taken or renewed longest ago. */
  #keep(key: string, lease: Lease): void {
    this.#leases.delete(key)
    this.#leases.set(key, lease)
  }

  /** Every ask for a lease ends up to two that are over, so that those of loaders that died do not pile up. */
  #sweep(now: number): void {
    let looked = 0
    for (const [key, { until }] of this.#leases) {
      if (looked++ === 2) return
      if (until <= now) this.#leases.delete(key)
    }
  }
}
