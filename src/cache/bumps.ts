import { isPlimsollError, type PlimsollError } from '../core/errors.ts'
import { events } from '../core/events.ts'
import type { CacheStore } from './contract.ts'
import type { TagCells } from './tag-cells.ts'

/** A store answers so many within its time-out; more at once would look like an outage, and after one never end it. */
const mostAtOnce = 2000

/** Bumps tags, here and in the store; what the store cannot be told of now it is told of before it is used again. */
export class Bumps {
  readonly #store: CacheStore
  readonly #cells: TagCells
  readonly #pending = new Set<string>()
  readonly #removals = new Set<string>()
  /** The way into a store that is about to be used again. */
  #rejoining: Pick<CacheStore, 'bump' | 'delete'> | undefined

  constructor(store: CacheStore, cells: TagCells) {
    this.#store = store
    this.#cells = cells
  }

  /** @throws PLIMSOLL_CACHE_UNREACHABLE when the store has not been told; the tags are pending then, unless they are `recorded`. */
  async bump(tags: readonly string[], { recorded }: { readonly recorded: boolean }): Promise<void> {
    const began = performance.now()
    // What this process holds ends at once, whatever becomes of the store.
    this.#cells.bumped(tags)
    let outcome: 'done' | 'pending' = 'pending'
    try {
      let failure: PlimsollError | undefined
      for (let at = 0; at < tags.length; at += mostAtOnce) {
        const some = tags.length <= mostAtOnce ? tags : tags.slice(at, at + mostAtOnce)
        failure = (await this.#bumpSome(some, recorded)) ?? failure
      }
      if (failure !== undefined) throw failure
      outcome = 'done'
    } finally {
      // And again what was read meanwhile, when the store still had the old versions.
      this.#cells.bumped(tags)
      if (events.hasSubscribers) {
        events.publish({ type: 'cache.bump', tags, outcome, durationMs: performance.now() - began })
      }
    }
  }

  /** Resolves with why not all of them were bumped. */
  async #bumpSome(tags: readonly string[], recorded: boolean): Promise<PlimsollError | undefined> {
    try {
      await (this.#rejoining ?? this.#store).bump(tags)
      return undefined
    } catch (error) {
      if (!isPlimsollError(error, 'PLIMSOLL_CACHE_UNREACHABLE')) throw error
      if (!recorded) for (const tag of failedTags(error.details, tags)) this.#pending.add(tag)
      return error
    }
  }

  /** Removes an entry that the store cannot be told of now. */
  removeLater(key: string): void {
    this.#removals.add(key)
  }

  /** Bumps and removes what is pending, then what `drain` comes to, through a store that nobody else uses yet. */
  async rejoin(way: Pick<CacheStore, 'bump' | 'delete'>, drain: () => Promise<void>): Promise<void> {
    this.#rejoining = way
    try {
      const [tags, keys] = [[...this.#pending], [...this.#removals]]
      this.#pending.clear()
      // What cannot be bumped even now, on another server of the store, is pending again.
      if (tags.length > 0) await this.bump(tags, { recorded: false }).catch(() => {})
      if (keys.length > 0) await way.delete(keys)
      for (const key of keys) this.#removals.delete(key)
      await drain()
    } finally {
      this.#rejoining = undefined
    }
  }
}

/** The tags that were not bumped, of a store that could bump some of them. */
function failedTags(details: Readonly<Record<string, unknown>>, all: readonly string[]): readonly string[] {
  const { tags } = details
  return Array.isArray(tags) ? (tags as readonly string[]) : all
}
