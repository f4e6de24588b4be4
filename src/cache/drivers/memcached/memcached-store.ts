import type {} from '../../../core/buffer-slices.ts'
import { PlimsollError } from '../../../core/errors.ts'
import type {
  CacheStore,
  Fill,
  LeaseAnswer,
  LeaseAsk,
  ReadAnswer,
  ReadOptions,
  StoredEntry,
  StoreFeatures,
  StoreObserver,
} from '../../contract.ts'
import { randomToken } from '../../../core/random-token.ts'
import { checkSize, EntryItems, isSplit, toEntry } from './entry-items.ts'
import { createItemKeys, type ItemKey, type ItemKind } from './item-key.ts'
import { remainingMs, toItemTtl } from './item-ttl.ts'
import { LeaseItems } from './lease-items.ts'
import type { MemcachedServer } from './memcached-server.ts'
import { MetaBatch } from './meta-batch.ts'
import type { Exchange } from './meta-connection.ts'
import type { MetaReply } from './meta-parser.ts'
import {
  readMemcachedOptions,
  type MemcachedOptions,
  type MemcachedServerAddress,
  type MemcachedSettings,
} from './options.ts'
import { ServerMap, type ShareFailure, type Way } from './server-map.ts'

/**
 * Keeps entries on one or more Memcached servers (1.6 or later), which are found by consistent hashing. A server that is
 * down keeps its keys: they are unavailable until it is back, and those of the others are not touched. Entries and leases
 * last up to two seconds longer than asked for, because Memcached counts in seconds; the time that an entry has left is
 * exact to a second.
 *
 * @throws PLIMSOLL_OPTION_INVALID naming the part of the URL or the option that cannot be used.
 * @example
 * const store = memcachedStore({ url: 'memcached://cache1:11211,cache2:11211?timeout=50ms' })
 */
export function memcachedStore(
  target: { readonly url: string } | { readonly servers: readonly MemcachedServerAddress[] },
  options: MemcachedOptions = {},
): CacheStore {
  return new MemcachedStore(readMemcachedOptions(target, options))
}

class MemcachedStore implements CacheStore {
  readonly engine = 'memcached'
  readonly features: StoreFeatures
  readonly #servers: ServerMap
  readonly #toKey: (kind: ItemKind, name: string) => ItemKey
  readonly #entries: EntryItems
  readonly #leases: LeaseItems
  readonly #versionTtl: string
  #observer: StoreObserver | undefined
  /** Keys to delete from a server before it is used again. */
  readonly #owed = new Map<MemcachedServer, Set<string>>()
  #rejoining: Promise<unknown> = Promise.resolve()

  constructor(settings: MemcachedSettings) {
    this.#toKey = createItemKeys(settings.namespace)
    this.#entries = new EntryItems({ ...settings, toKey: this.#toKey })
    this.#leases = new LeaseItems(this.#toKey, this.#entries)
    this.#versionTtl = ` T${toItemTtl(settings.versionTtlMs)}`
    const { maxEntryBytes } = this.#entries
    this.features = { shared: true, entries: true, coherence: 'none', maxEntryBytes }
    this.#servers = new ServerMap(settings, (way) => this.#rejoin(way))
  }

  attach(observer: StoreObserver): void {
    this.#observer = observer
    this.#servers.open()
  }

  async read(
    keys: readonly string[],
    tags: readonly string[],
    { ages = false }: ReadOptions = {},
  ): Promise<ReadAnswer> {
    const entries = new Array<StoredEntry | undefined>(keys.length).fill(undefined)
    const versions = new Array<string | undefined | null>(tags.length).fill(null)
    await this.#servers.spread({ keys, tags }, async ({ keysAt, tagsAt, exchange }) => {
      const batch = new MetaBatch()
      for (const at of keysAt) batch.get(this.#toKey('e', keys[at]!), ages ? ' v t f' : ' v')
      // A version that is read starts its time anew: only those that nobody asks for end.
      for (const at of tagsAt) batch.get(this.#toKey('v', tags[at]!), ` v${this.#versionTtl}`)
      const replies = await exchange(batch)
      const split = replies.some(isSplit)
      const values = split ? await this.#entries.read(replies.slice(0, keysAt.length), exchange) : undefined
      for (let index = 0; index < keysAt.length; index++) {
        const reply = replies[index]!
        const bytes = values === undefined ? toEntry(reply.value) : values[index]
        if (bytes !== undefined) entries[keysAt[index]!] = { bytes, remainingMs: ages ? remainingMs(reply) : undefined }
      }
      for (let index = 0; index < tagsAt.length; index++) {
        versions[tagsAt[index]!] = readVersion(replies[keysAt.length + index]!)
      }
    })
    return { entries, versions }
  }

  async createVersions(tags: readonly string[]): Promise<(string | null)[]> {
    const versions = new Array<string | null>(tags.length).fill(null)
    await this.#servers.spread({ tags }, async ({ tagsAt, exchange }) => {
      const batch = new MetaBatch()
      for (const at of tagsAt) {
        const key = this.#toKey('v', tags[at]!)
        // Many may do this at once, and all come to the version of the first.
        batch.set(key, randomToken(), `${this.#versionTtl} ME`).get(key, ' v')
      }
      const replies = await exchange(batch)
      for (const [index, at] of tagsAt.entries()) versions[at] = readVersion(replies[2 * index + 1]!) ?? null
    })
    return versions
  }

  acquire(ask: LeaseAsk): Promise<LeaseAnswer> {
    return this.#on(ask.key, (exchange) => this.#leases.acquire(ask, exchange))
  }

  renew(key: string, token: string, leaseMs: number): Promise<boolean> {
    return this.#on(key, (exchange) => this.#leases.renew(key, { token, leaseMs }, exchange))
  }

  fill(key: string, fill: Fill): Promise<boolean> {
    return this.#on(key, (exchange) => this.#leases.fill(key, fill, exchange))
  }

  release(key: string, token: string, failure?: string): Promise<void> {
    return this.#on(key, (exchange) => this.#leases.release(key, { token, failure }, exchange))
  }

  async put(items: readonly { readonly key: string; readonly bytes: Buffer; readonly ttlMs: number }[]): Promise<void> {
    const entries = items.map(({ key, bytes, ttlMs }) => this.#entries.plan(key, bytes, ttlMs))
    const keys = items.map(({ key }) => key)
    const failures = await this.#servers.spread({ keys }, async ({ keysAt, exchange }) => {
      const batch = new MetaBatch()
      const storedAt = keysAt.map((at) => {
        this.#entries.addStore(batch.delete(this.#toKey('l', keys[at]!)), entries[at]!)
        return batch.size - 1
      })
      const replies = await exchange(batch)
      // What could not be stored is evicted at once, as any entry may be; it must not leave an older one in its place.
      const refused = keysAt.filter((_, index) => replies[storedAt[index]!]!.code !== 'HD')
      await this.#remove(
        refused.map((at) => entries[at]!.key),
        exchange,
      )
      for (const [index, at] of keysAt.entries()) checkSize(replies[storedAt[index]!]!, entries[at]!)
    })
    if (failures.length > 0) throw unreachable('put', { keys }, failures)
  }

  async delete(keys: readonly string[]): Promise<void> {
    const failures = await this.#delete(keys)
    if (failures.length > 0) throw unreachable('delete', { keys }, failures)
  }

  bump(tags: readonly string[]): Promise<void> {
    return this.#bump(tags)
  }

  /** Never: nobody tells us what others bump. */
  isCurrent(): boolean {
    return false
  }

  close(): Promise<void> {
    return this.#servers.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #on<T>(key: string, work: (exchange: Exchange) => Promise<T>): Promise<T> {
    const server = this.#servers.serverOf(key)
    return server.run(() => work(server.exchange))
  }

  async #bump(tags: readonly string[], way?: Way): Promise<void> {
    const failures = await this.#servers.spread(
      { tags },
      async ({ tagsAt, exchange }) => {
        const batch = new MetaBatch()
        const keys = tagsAt.map((at) => this.#toKey('v', tags[at]!))
        for (const key of keys) batch.set(key, randomToken(), this.#versionTtl)
        const replies = await exchange(batch)
        // A tag without a version will do as well: it gets a new one when it is read.
        await this.#remove(
          keys.filter((_, index) => replies[index]!.code !== 'HD'),
          exchange,
        )
      },
      way,
    )
    if (failures.length > 0) throw unreachable('bump', { tags }, failures)
  }

  #delete(keys: readonly string[], way?: Way): Promise<ShareFailure[]> {
    return this.#servers.spread(
      { keys },
      async ({ keysAt, exchange }) => {
        // The lease first: see LeaseItems.
        const items = keysAt.flatMap((at) => [this.#toKey('l', keys[at]!), this.#toKey('e', keys[at]!)])
        await this.#remove(items, exchange)
      },
      way,
    )
  }

  async #remove(items: readonly ItemKey[], exchange: Exchange): Promise<void> {
    if (items.length === 0) return
    const batch = new MetaBatch()
    for (const item of items) batch.delete(item)
    const refusal = (await exchange(batch)).find(({ code }) => code !== 'HD' && code !== 'NF')
    if (refusal !== undefined) throw new Error(`The server said ${refusal.code} ${refusal.flags}`)
  }

  /** One after the other: two servers that come back together must not take each other's tags for done. */
  #rejoin(way: Way): Promise<void> {
    const turn = this.#rejoining.then(async () => {
      const owed = this.#owed.get(way.server)
      if (owed !== undefined) await this.#deleteOwed([...owed], way)
      this.#owed.delete(way.server)
      await this.#observer?.rejoin({
        bump: (tags) => this.#bump(tags, way),
        delete: (keys) => this.#deleteOwed(keys, way),
      })
    })
    this.#rejoining = turn.catch(() => {})
    return turn
  }

  /**
   * Deletes through a server that is back. What is on others that are still away is deleted when those come back: to wait for
   * them would keep all of them away for ever.
   */
  async #deleteOwed(keys: readonly string[], way: Way): Promise<void> {
    for (const { server, keysAt, error } of await this.#delete(keys, way)) {
      if (server === way.server) throw error
      const owed = this.#owed.get(server) ?? new Set()
      this.#owed.set(server, owed)
      for (const at of keysAt) owed.add(keys[at]!)
    }
  }
}

function readVersion({ value }: MetaReply): string | undefined {
  return value === undefined || value.length === 0 ? undefined : value.latin1Slice(0, value.length)
}

/** The error of an operation on several servers; its details name what the servers that are down did not do. */
function unreachable(
  operation: string,
  { keys = [], tags = [] }: { readonly keys?: readonly string[]; readonly tags?: readonly string[] },
  failures: readonly ShareFailure[],
): PlimsollError {
  const servers = failures.map(({ server }) => server.name)
  const [{ error }] = failures as [ShareFailure]
  const { message } = (error.cause ?? error) as Error
  return new PlimsollError(
    'PLIMSOLL_CACHE_UNREACHABLE',
    `The ${operation} did not reach Memcached at ${servers.join(', ')}: ${message.replace(/\.$/, '')}.`,
    {
      cause: error,
      details: {
        servers,
        ...(tags.length > 0 && { tags: failures.flatMap(({ tagsAt }) => tagsAt.map((at) => tags[at]!)) }),
        ...(keys.length > 0 && { keys: failures.flatMap(({ keysAt }) => keysAt.map((at) => keys[at]!)) }),
      },
    },
  )
}
