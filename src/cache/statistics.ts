import { LRUCache } from 'lru-cache'
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
  readonly keys: LRUCache<string, Counts> | undefined
  evictions = 0

  constructor(maxKeys: number) {
    this.keys = maxKeys > 0 ? new LRUCache<string, Counts>({ max: maxKeys }) : undefined
  }

  /** Where reads of `key` count: of all, of its namespace, of itself. */
  of(key: string): readonly Counts[] {
    const colon = key.indexOf(':')
    const namespace = this.#namespace(colon < 0 ? key : key.slice(0, colon))
    if (!this.keys) return [this.all, namespace]
    let own = this.keys.get(key)
    if (!own) {
      own = noCounts()
      this.keys.set(key, own)
    }
    return [this.all, namespace, own]
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

/** Adds one everywhere a read counts. */
export function count(where: readonly Counts[], what: keyof Counts): void {
  for (const counts of where) counts[what]++
}

function noCounts(): Counts {
  return { hits: 0, staleHits: 0, misses: 0, loads: 0, failures: 0, waits: 0 }
}
