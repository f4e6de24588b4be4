import type { CacheCounts } from './types.ts'

/** Counts that go up; see {@link CacheCounts}. */
export type Counts = { -readonly [K in keyof CacheCounts]: number }

const maxNamespaces = 1000
/** Where namespaces count once there are too many of them. */
const others = '*'

/** Counts of all reads, by namespace and by key. */
export class Statistics {
  readonly all = noCounts()
  readonly namespaces = new Map<string, Counts>()
  readonly keys: RecentCounts | undefined
  evictions = 0

  constructor(maxKeys: number) {
    this.keys = maxKeys > 0 ? new RecentCounts(maxKeys) : undefined
  }

  /** Where reads of `key` count: of all, of its namespace, of itself. */
  of(key: string): readonly Counts[] {
    const colon = key.indexOf(':')
    const namespace = this.#namespace(colon < 0 ? key : key.slice(0, colon))
    return this.keys === undefined ? [this.all, namespace] : [this.all, namespace, this.keys.of(key)]
  }

  #namespace(name: string): Counts {
    const known = this.namespaces.get(name)
    if (known) return known
    if (this.namespaces.size >= maxNamespaces) return this.namespaces.get(others)!
    const counts = noCounts()
    this.namespaces.set(this.namespaces.size === maxNamespaces - 1 ? others : name, counts)
    return counts
  }
}

/**
 * Counts of the keys that were read last, at least half of `max` and at most all of it. When the younger half is full, the older
 * one is forgotten and the younger takes its place, which costs a read less than an order of all keys would.
 */
class RecentCounts {
  readonly #half: number
  #young = new Map<string, Counts>()
  #old: ReadonlyMap<string, Counts> = new Map()

  constructor(max: number) {
    this.#half = Math.max(1, Math.floor(max / 2))
  }

  of(key: string): Counts {
    const known = this.#young.get(key)
    if (known !== undefined) return known
    const counts = this.#old.get(key) ?? noCounts()
    if (this.#young.size >= this.#half) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, counts)
    return counts
  }

  /** The older ones first. */
  entries(): Map<string, Counts> {
    return new Map([...this.#old, ...this.#young])
  }
}

/** Adds one everywhere a read counts. */
export function count(where: readonly Counts[], what: keyof Counts): void {
  for (const counts of where) counts[what]++
}

function noCounts(): Counts {
  return { hits: 0, staleHits: 0, misses: 0, loads: 0, failures: 0, waits: 0 }
}
