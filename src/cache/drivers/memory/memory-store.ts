import { LRUCache } from 'lru-cache'
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

/** The options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /** How many tags have versions. What depends on the one that was used longest ago ends when there are more. Default 200,000. */
  readonly maxTags?: number | undefined
}

/**
 * Versions and leases in the memory of this process. It keeps no entries: the local tier of the cache does.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 * @example
 * const cache = openCache({ store: memoryStore() })
 */
export function memoryStore(options: MemoryStoreOptions = {}): CacheStore {
  const { maxTags = 200_000 } = options
  if (Number.isInteger(maxTags) && maxTags > 0) return new MemoryStore(maxTags)
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

class MemoryStore implements CacheStore {
  readonly engine = 'memory'
  readonly features: StoreFeatures = {
    shared: false,
    entries: false,
    coherence: 'own',
    maxEntryBytes: Number.POSITIVE_INFINITY,
  }
  readonly #versions: LRUCache<string, string>
  readonly #leases = new Map<string, Lease>()
  #observer: StoreObserver | undefined

  constructor(maxTags: number) {
    this.#versions = new LRUCache({
      max: maxTags,
      dispose: (_version, tag, reason) => {
        if (reason === 'evict') this.#observer?.bumped([tag])
      },
    })
  }

  attach(observer: StoreObserver): void {
    this.#observer = observer
  }

  async read(keys: readonly string[], tags: readonly string[]): Promise<ReadAnswer> {
    return { entries: keys.map(() => undefined), versions: tags.map((tag) => this.#versions.get(tag)) }
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
    for (const key of keys) this.#leases.delete(key)
  }

  async bump(tags: readonly string[]): Promise<void> {
    for (const tag of tags) this.#versions.set(tag, randomToken())
    this.#observer?.bumped(tags)
  }

  isCurrent(): boolean {
    return true
  }

  async close(): Promise<void> {
    this.#leases.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
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
