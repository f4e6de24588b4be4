import type {} from '../../../core/buffer-slices.ts'
import { PlimsollError } from '../../../core/errors.ts'
import type { Fill, LeaseAnswer, LeaseAsk } from '../../contract.ts'
import { checkSize, type EntryItems, isSplit, toEntry } from './entry-items.ts'
import type { ItemKey, ItemKind } from './item-key.ts'
import { toItemTtl } from './item-ttl.ts'
import { failedLease, failureMs, heldLease, readLease, type LeaseItem } from './lease-item.ts'
import { MetaBatch } from './meta-batch.ts'
import type { Exchange } from './meta-connection.ts'
import { flagOf } from './meta-parser.ts'

// Each further attempt means that somebody else changed the lease within a round trip.
const mostAttempts = 8
// How long an item without bytes keeps the place of an entry that is about to be filled, in seconds.
const placeTtl = 10

/**
 * The leases of entries. A lease is an item beside the entry, on the same server; whoever adds it has it. Memcached compares
 * and sets one item at a time, so two orders keep the two together:
 *
 * - Who replaces or deletes an entry by hand removes its lease first, then changes the entry.
 * - Who fills reads the entry's CAS first, then looks whether the lease is still its own, then stores under that CAS.
 *
 * If the lease was still there at the look, the entry is changed after the look, hence after its CAS was read: the fill is
 * refused, or comes before the change. An entry that is missing gets an item without bytes, so that there is a CAS to change.
 */
export class LeaseItems {
  readonly #toKey: (kind: ItemKind, name: string) => ItemKey
  readonly #entries: EntryItems

  constructor(toKey: (kind: ItemKind, name: string) => ItemKey, entries: EntryItems) {
    this.#toKey = toKey
    this.#entries = entries
  }

  /** See `CacheStore.acquire`. One round trip, unless a lease has to be taken over. */
  async acquire(ask: LeaseAsk, exchange: Exchange): Promise<LeaseAnswer> {
    const leaseKey = this.#toKey('l', ask.key)
    const value = heldLease(ask.token, ask.generation)
    const ttl = ` T${toItemTtl(ask.leaseMs)}`
    let mode = ' ME'
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const batch = new MetaBatch().set(leaseKey, value, ttl + mode).get(leaseKey, ' v c')
      const [claim, held, found] = await exchange(batch.get(this.#toKey('e', ask.key), ' v'))
      if (claim!.code === 'SERVER_ERROR') throw noRoom(claim!.flags)
      const lease = readLease(held!)
      // The entry is looked at after the claim: it may have been filled, and its lease freed, since the asker missed it.
      const entry = isSplit(found!) ? (await this.#entries.read([found!], exchange))[0] : toEntry(found!.value)
      if (entry !== undefined && isFilled(entry, ask)) {
        if (claim!.code === 'HD' && lease?.token === ask.token) await this.#drop(leaseKey, lease, exchange)
        return { state: 'filled', entry: { bytes: entry, remainingMs: undefined } }
      }
      if (claim!.code === 'HD') return { state: 'won' }
      if (lease !== undefined && lease.token !== ask.token && lease.generation === ask.generation) {
        if (lease.state === 'held') return { state: 'taken' }
        if (ask.waited === true) return { state: 'failed', message: lease.message }
      }
      mode = lease === undefined ? ' ME' : ` C${lease.cas}`
    }
    return { state: 'taken' }
  }

  /** See `CacheStore.renew`. */
  async renew(
    key: string,
    options: { readonly token: string; readonly leaseMs: number },
    exchange: Exchange,
  ): Promise<boolean> {
    const leaseKey = this.#toKey('l', key)
    const lease = await this.#own(leaseKey, options.token, exchange)
    if (lease === undefined) return false
    const value = heldLease(lease.token, lease.generation)
    const flags = ` T${toItemTtl(options.leaseMs)} C${lease.cas}`
    const [reply] = await exchange(new MetaBatch().set(leaseKey, value, flags))
    return reply!.code === 'HD'
  }

  /** See `CacheStore.fill`. Two round trips. @throws PLIMSOLL_CACHE_VALUE_TOO_LARGE */
  async fill(name: string, fill: Fill, exchange: Exchange): Promise<boolean> {
    const leaseKey = this.#toKey('l', name)
    const entry = this.#entries.plan(name, fill.bytes, fill.ttlMs)
    const look = new MetaBatch().get(entry.key, ` c N${placeTtl}`).get(leaseKey, ' v c')
    const [place, held] = await exchange(look)
    const lease = readLease(held!)
    const cas = flagOf(place!, 'c')
    if (cas === undefined || lease?.token !== fill.token || lease.state !== 'held') return false
    const store = new MetaBatch()
    this.#entries.addStore(store, entry, ` C${cas}`)
    const replies = await exchange(store.delete(leaseKey, ` C${lease.cas}`))
    const stored = replies.at(-2)!
    if (stored.code === 'HD') return true
    const forget = new MetaBatch()
    this.#entries.addForget(forget, entry)
    if (forget.size > 0) await exchange(forget)
    checkSize(stored, entry)
    return false
  }

  /** See `CacheStore.release`. */
  async release(
    key: string,
    options: { readonly token: string; readonly failure: string | undefined },
    exchange: Exchange,
  ): Promise<void> {
    const leaseKey = this.#toKey('l', key)
    const lease = await this.#own(leaseKey, options.token, exchange)
    if (lease === undefined) return
    if (options.failure === undefined) return this.#drop(leaseKey, lease, exchange)
    const flags = ` T${toItemTtl(failureMs)} C${lease.cas}`
    await exchange(new MetaBatch().set(leaseKey, failedLease(lease, options.failure), flags))
  }

  async #own(leaseKey: ItemKey, token: string, exchange: Exchange): Promise<LeaseItem | undefined> {
    const [reply] = await exchange(new MetaBatch().get(leaseKey, ' v c'))
    const lease = readLease(reply!)
    return lease?.state === 'held' && lease.token === token ? lease : undefined
  }

  async #drop(leaseKey: ItemKey, { cas }: LeaseItem, exchange: Exchange): Promise<void> {
    await exchange(new MetaBatch().delete(leaseKey, ` C${cas}`))
  }
}

function isFilled(entry: Buffer, { generation, replacing }: LeaseAsk): boolean {
  return entry.latin1Slice(0, 16) === generation && entry.latin1Slice(16, 32) !== replacing
}

function noRoom(reason: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_CACHE_UNREACHABLE', `Memcached could not store a lease: ${reason}.`)
}
