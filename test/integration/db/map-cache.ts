// A cache of querysets in a Map, and a tracker that ends what it keeps: the least that honours their contracts.
import type { Postgres, QueryCache, WriteTracker } from '../../../src/db/index.ts'

export interface MapCache extends QueryCache, WriteTracker {
  /** The keys it was asked for, each with whether it was there, its tags and its options. */
  readonly asked: {
    key: string
    hit: boolean
    tags: readonly string[]
    ttl: unknown
    stale: unknown
    signal: unknown
  }[]
  readonly entries: Map<string, { bytes: Buffer; tags: readonly string[] }>
  /** The tags that every write bumped, in order. */
  readonly bumped: (readonly string[])[]
}

export function mapCache(postgres: Postgres): MapCache {
  const entries: MapCache['entries'] = new Map()
  const asked: MapCache['asked'] = []
  const bumped: MapCache['bumped'] = []
  const bump = (tags: readonly string[]): void => {
    bumped.push(tags)
    for (const [key, entry] of entries) if (entry.tags.some((tag) => tags.includes(tag))) entries.delete(key)
  }
  return {
    entries,
    asked,
    bumped,
    bypassed: () => postgres.current() !== undefined,
    async get(key, load, { tags, ttl, stale, signal }) {
      const there = entries.get(key)
      asked.push({ key, hit: there !== undefined, tags, ttl, stale, signal })
      if (there) return there.bytes
      const bytes = await load()
      entries.set(key, { bytes, tags })
      return bytes
    },
    async write(work, _, within) {
      const transaction = within ?? postgres.current()
      const { result, tags } = await work(transaction ?? postgres)
      if (transaction) transaction.afterCommit(() => bump(tags))
      else bump(tags)
      return result
    },
  }
}
