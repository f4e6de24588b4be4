import type * as ioredis from 'ioredis'
import { parseDuration, type Duration } from '../../../core/duration.ts'
import { errorText } from '../../../core/error-text.ts'
import { PlimsollError, showValue } from '../../../core/errors.ts'
import { events } from '../../../core/events.ts'
import { importPeer } from '../../../core/peer.ts'
import { parseSize } from '../../../core/size.ts'
import type {
  CacheStore,
  Fill,
  LeaseAnswer,
  LeaseAsk,
  ReadAnswer,
  ReadOptions,
  StoreFeatures,
  StoreObserver,
} from '../../contract.ts'
import { ClusterTopology } from './cluster-topology.ts'
import { KeyNames } from './key-names.ts'
import { parseSource } from './parse-source.ts'
import { isRefusal } from './redis-errors.ts'
import type { NodeListener, NodeSettings } from './redis-node.ts'
import type { RedisSource, RedisStoreOptions } from './redis-options.ts'
import { Reads } from './reads.ts'
import { Removals } from './removals.ts'
import { Routes, type Pass } from './routes.ts'

import { weightOf, wholeMs } from './scripts.ts'
import { SingleServer, type Topology } from './topology.ts'
import { Versions } from './versions.ts'

export type { RedisSource, RedisStoreOptions } from './redis-options.ts'

/** How long those who wait for a load are told that it has failed. They ask several times in that time. */
const failureKeptMs = 1000

/**
 * Keeps entries in Redis (6.2 or later, alone or as a cluster) or Valkey. A server that cannot be reached now is connected to
 * later; one that will never do is refused. Needs the package `ioredis`.
 *
 * @throws PLIMSOLL_OPTION_INVALID for options and URLs; PLIMSOLL_FEATURE_UNSUPPORTED for an old Redis, or for a cluster that the
 * URL does not call one; PLIMSOLL_CACHE_UNREACHABLE for a password or a certificate that is not accepted; PLIMSOLL_PEER_MISSING
 * @example
 * const cache = openCache({ store: await redisStore({ url: 'redis://localhost:6379' }) })
 */
export async function redisStore(source: RedisSource, options: RedisStoreOptions = {}): Promise<CacheStore> {
  const parsed = parseSource(source)
  const given = { ...parsed.options, ...options }
  const settings = {
    namespace: parseNamespace(given.namespace ?? 'plimsoll'),
    timeoutMs: parseTimeout(given.timeout ?? '100ms'),
    versionTtlMs: parseDuration(given.versionTtl ?? '7d', 'versionTtl'),
    maxEntryBytes: parseSize(given.maxEntryBytes ?? '16MB', 'maxEntryBytes'),
  }
  const { Redis: Client } = await importPeer<typeof ioredis>('ioredis', `A cache at ${parsed.name}`)
  const names = new KeyNames(settings.namespace)
  const { cluster, seeds, connection } = parsed
  const nodes: NodeSettings = { Client, connection, cluster, names, timeoutMs: settings.timeoutMs }
  const store = new RedisStore(
    (listener) =>
      cluster ? new ClusterTopology(seeds, nodes, listener) : new SingleServer(seeds[0]!, nodes, listener),
    { ...settings, names },
  )
  const failure = await store.open()
  if (failure === undefined || !isRefusal(failure)) return store
  await store.close()
  if (failure instanceof PlimsollError) throw failure
  throw new PlimsollError('PLIMSOLL_CACHE_UNREACHABLE', `${parsed.name} does not let us in: ${errorText(failure)}`, {
    cause: failure,
  })
}

interface StoreSettings {
  readonly names: KeyNames
  readonly versionTtlMs: number
  readonly maxEntryBytes: number
}

class RedisStore implements CacheStore {
  readonly engine = 'redis'
  readonly features: StoreFeatures
  readonly #names: KeyNames
  readonly #topology: Topology
  readonly #routes: Routes
  readonly #reads: Reads
  readonly #versions: Versions
  readonly #removals: Removals
  #observer: StoreObserver | undefined

  constructor(createTopology: (listener: NodeListener) => Topology, settings: StoreSettings) {
    const { names, versionTtlMs, maxEntryBytes } = settings
    this.features = { shared: true, entries: true, coherence: 'pushed', maxEntryBytes }
    this.#names = names
    this.#topology = createTopology({
      bumped: (tags) => this.#observer?.bumped(tags),
      removed: (message) => {
        const keys = this.#removals.hear(message)
        if (keys !== undefined) this.#observer?.removed(keys)
      },
      lost: () => this.#observer?.lost(),
      recover: (node, run) => this.#recover({ node, run }),
      changed: (node, state, cause) => {
        if (!events.hasSubscribers) return
        const error = cause === undefined ? {} : { error: errorText(cause) }
        events.publish({ type: 'cache.state', engine: 'redis', server: node.name, state, ...error })
      },
    })
    this.#routes = new Routes(this.#topology)
    this.#reads = new Reads(this.#topology, names)
    this.#versions = new Versions(this.#routes, names, versionTtlMs)
    this.#removals = new Removals(this.#routes, names)
  }

  /** Connects; resolves with why a server cannot be reached. */
  open(): Promise<unknown> {
    return this.#topology.open()
  }

  attach(observer: StoreObserver): void {
    this.#observer = observer
  }

  async read(keys: readonly string[], tags: readonly string[], options: ReadOptions = {}): Promise<ReadAnswer> {
    if (keys.length === 0 && tags.length === 0) return { entries: [], versions: [] }
    return this.#reads.read(keys, tags, options.ages === true)
  }

  createVersions(tags: readonly string[]): Promise<(string | null)[]> {
    return this.#versions.create(tags)
  }

  async acquire(ask: LeaseAsk): Promise<LeaseAnswer> {
    const { key, generation, token, leaseMs, replacing = '', waited = false } = ask
    const [entry, lease] = this.#namesOf(key)
    const [state, value, remainingMs] = await this.#routes.call(entry, (client) =>
      client.plimsollAcquireBuffer(entry, lease, [
        generation,
        token,
        String(wholeMs(leaseMs)),
        replacing,
        waited ? '1' : '0',
      ]),
    )
    switch (state.toString('latin1')) {
      case 'filled':
        return { state: 'filled', entry: { bytes: value!, remainingMs: Math.max(0, remainingMs!) } }
      case 'failed':
        return { state: 'failed', message: value!.toString() }
      case 'taken':
        return { state: 'taken' }
      default:
        return { state: 'won' }
    }
  }

  async renew(key: string, token: string, leaseMs: number): Promise<boolean> {
    const lease = this.#names.lease(key)
    return (await this.#routes.call(lease, (client) => client.plimsollRenew(lease, token, wholeMs(leaseMs)))) === 1
  }

  async fill(key: string, { token, bytes, ttlMs }: Fill): Promise<boolean> {
    this.#checkSize(key, bytes)
    const [entry, lease] = this.#namesOf(key)
    const filled = await this.#routes.call(
      entry,
      (client) => client.plimsollFill(entry, lease, token, bytes, wholeMs(ttlMs)),
      { weight: weightOf(bytes) },
    )
    return filled === 1
  }

  async release(key: string, token: string, failure?: string): Promise<void> {
    const lease = this.#names.lease(key)
    const message = failure === undefined ? [] : [failureKeptMs, failure]
    await this.#routes.call(lease, (client) => client.plimsollRelease(lease, token, ...message))
  }

  async put(items: readonly { readonly key: string; readonly bytes: Buffer; readonly ttlMs: number }[]): Promise<void> {
    for (const { key, bytes } of items) this.#checkSize(key, bytes)
    await this.#removals.put(items)
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#removals.delete(keys)
  }

  bump(tags: readonly string[]): Promise<void> {
    return this.#versions.bump(tags)
  }

  isCurrent(now: number): boolean {
    const { nodes } = this.#topology
    for (const node of nodes.values()) if (!node.isCurrent(now)) return false
    return nodes.size > 0
  }

  async close(): Promise<void> {
    this.#topology.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #namesOf(key: string): [entry: string, lease: string] {
    return [this.#names.entry(key), this.#names.lease(key)]
  }

  async #recover(pass: Pass): Promise<void> {
    await this.#removals.catchUp(pass)
    await this.#observer?.rejoin({
      bump: (tags) => this.#versions.bump(tags, pass),
      delete: (keys) => this.#removals.delete(keys, pass),
    })
  }

  #checkSize(key: string, { length }: Buffer): void {
    const most = this.features.maxEntryBytes
    if (length <= most) return
    throw new PlimsollError(
      'PLIMSOLL_CACHE_VALUE_TOO_LARGE',
      `The entry of '${key}' has ${length} bytes; maxEntryBytes of the Redis store is ${most}.`,
      { details: { key, bytes: length, maxEntryBytes: most } },
    )
  }
}

function parseTimeout(timeout: Duration): number {
  const ms = parseDuration(timeout, 'timeout')
  if (ms >= 1) return ms
  throw new PlimsollError('PLIMSOLL_OPTION_INVALID', `timeout is ${showValue(timeout)}; give at least a millisecond.`, {
    details: { option: 'timeout' },
  })
}

function parseNamespace(namespace: string): string {
  if (/^[\w.:-]+$/.test(namespace)) return namespace
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `namespace is '${namespace}'; use letters, digits and . _ : - only.`,
    { details: { option: 'namespace' } },
  )
}
