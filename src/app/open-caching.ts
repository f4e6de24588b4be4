import { openCache, type CacheOptions, type CacheStore, type OpenCache } from '../cache/index.ts'
import { isPlimsollError } from '../core/errors.ts'
import type { QueryCache, WriteTracker } from '../db/contract.ts'
import { BumpChannel, bumpKind, openOutbox, type Carrier, type Outbox } from '../outbox/index.ts'
import type { Postgres } from '../postgres/index.ts'
import type { ModelGraph } from '../schema/model.ts'
import { tagsOfSql } from '../schema/index.ts'
import { databaseIdentity } from './database-identity.ts'
import { purgeKind } from './open-cdn.ts'
import { openStore } from './open-store.ts'

/** The options of the cache of an application. */
export interface AppCacheOptions extends Omit<CacheOptions, 'store' | 'bypass' | 'afterCommit' | 'drain'> {
  /** A store that was opened already, such as one on a live client, instead of a URL; it is closed with the cache. */
  readonly store?: CacheStore | undefined
}

/** The cache, and what keeps it right: every write of the application ends what depends on it. */
export interface Caching {
  readonly cache: OpenCache
  readonly queries: QueryCache
  readonly writes: WriteTracker
  readonly outbox: Outbox
  /** Ends the relay, then the cache; before the database. */
  close(): Promise<void>
}

/** Bumps what is recorded. What another server of the store keeps from being bumped stays, and is bumped when that is back. */
async function drainBumps(outbox: Outbox): Promise<void> {
  try {
    await outbox.drain(bumpKind)
  } catch (error) {
    // Of the server that has just come back it says the same, and that one is then not taken for back.
    if (!isPlimsollError(error, 'PLIMSOLL_CACHE_UNREACHABLE')) throw error
  }
}

/** Has `work` done after the commit of the transaction that the caller runs in; false when there is none, or none any more. */
function afterCommit(postgres: Postgres, work: () => Promise<void>): boolean {
  const transaction = postgres.current()
  if (transaction === undefined) return false
  try {
    transaction.root.afterEnd((outcome) => (outcome === 'rollback' ? undefined : work()))
    return true
  } catch (error) {
    // The caller was left running when it ended.
    if (isPlimsollError(error, 'PLIMSOLL_TRANSACTION_CLOSED')) return false
    throw error
  }
}

/** There may be several processes, and this one hears of its own writes alone. */
function aloneWarning(reason: string): string {
  return (
    `The cache is in the memory of this process, and does not hear of writes by others to the same PostgreSQL: what it holds of them is ` +
    `out of date until its ttl. ${reason} If there are several processes, set CACHE_URL to a Redis or Memcached, the same for all.`
  )
}

/**
 * Opens the cache on the store at `url` and joins it to the database: writes, Drizzle's too, bump their tags after their commit and
 * before they are acknowledged; what a crash leaves between the two is carried out by the outbox of any process. `purge` carries the same tags
 * to a CDN, later and whatever becomes of the cache.
 */
export async function openCaching(
  postgres: Postgres,
  {
    url,
    graph,
    options,
    records,
    purge,
  }: {
    readonly url: string
    readonly graph: ModelGraph
    readonly options: AppCacheOptions
    /** True when the outbox is to record jobs of transactions too. Default false. */
    readonly records?: boolean | undefined
    readonly purge?: Carrier | undefined
  },
): Promise<Caching> {
  const feed = postgres.engine === 'postgres' ? new BumpChannel(postgres) : undefined
  const store = options.store ?? (await openStore(url, feed))
  const channel = options.store === undefined && store.engine === 'memory' ? feed : undefined
  const warn = (reason: string): void => console.error(aloneWarning(reason))
  if (!store.features.shared && feed !== undefined && channel === undefined)
    warn('The store that it was given hears nobody else.')
  // A transaction sees the database itself: its own writes, or a state that is older than the last bump.
  const inTransaction = (): boolean => postgres.current() !== undefined
  try {
    const outbox = await openOutbox({
      postgres,
      durable: store.features.shared,
      records: records === true || store.features.shared,
      channel,
      copies: purge === undefined ? [] : [purgeKind],
    })
    const cache = openCache({
      ...options,
      store,
      bypass: inTransaction,
      afterCommit: (work) => afterCommit(postgres, work),
      drain: () => drainBumps(outbox),
    })
    outbox.carry(bumpKind, async (tags, { announced, late, recorded }) => {
      if (announced && channel !== undefined) channel.announced(tags)
      // What is recorded nowhere, the store tells the others later.
      else if (channel !== undefined && !late) await cache.invalidate(...tags)
      else await cache.bump(tags, { recorded })
    })
    if (purge !== undefined) outbox.carry(purgeKind, purge)
    postgres.watchWrites(outbox.watcher((text) => tagsOfSql(graph, text)))
    await channel?.open(warn)
    // A store can hold the answers of several databases, of which one must never be taken for another's.
    const database = store.features.shared ? await databaseIdentity(postgres) : undefined
    return {
      cache,
      outbox,
      writes: outbox,
      queries: {
        get: (key, load, keep) => cache.get(key, ({ signal }) => load(signal), keep),
        bypassed: inTransaction,
        database,
      },
      async close() {
        await outbox.close()
        await cache.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}
