import { LRUCache } from 'lru-cache'

/**
 * An LRU cache that takes its memory when it is given the first entry. It has room for all of them from then on, which for hundreds of
 * thousands is megabytes: an application that caches nothing, such as one that only serves files, does not pay for it.
 */
export class LateLru<V extends {}> {
  readonly #options: LRUCache.Options<string, V, unknown>
  #cache: LRUCache<string, V> | undefined

  constructor(options: LRUCache.Options<string, V, unknown>) {
    this.#options = options
  }

  get size(): number {
    return this.#cache?.size ?? 0
  }

  /** The sizes of all entries together. */
  get calculatedSize(): number {
    return this.#cache?.calculatedSize ?? 0
  }

  get(key: string): V | undefined {
    return this.#cache?.get(key)
  }

  set(key: string, value: V): void {
    this.#cache ??= new LRUCache(this.#options)
    this.#cache.set(key, value)
  }

  delete(key: string): void {
    this.#cache?.delete(key)
  }

  clear(): void {
    this.#cache?.clear()
  }
}
