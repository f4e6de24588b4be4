import type { Duration } from '../core/duration.ts'
import type { Executor } from '../postgres/index.ts'

/** How long an answer of a queryset may be kept; see `cached`. */
export interface CachedOptions {
  /** How long it is fresh. Writes end it sooner. Default: the cache's own. */
  readonly ttl?: Duration | undefined
  /** How long after that it may still be served, while one reader loads it anew. Default: none. */
  readonly stale?: Duration | undefined
}

/** Where answers of cached querysets are kept; `app` joins it to the cache. */
export interface QueryCache {
  /**
   * The bytes under `key`, loaded by `load` when they are not there. `tags` name everything that they depend on. Inside a
   * transaction it always loads, and keeps nothing.
   */
  get(
    key: string,
    load: () => Promise<Buffer>,
    options: CachedOptions & { readonly tags: readonly string[]; readonly signal?: AbortSignal | undefined },
  ): Promise<Buffer>
}

/** What a write has done: its result, and the tags of what it changed. */
export interface Written<T> {
  readonly result: T
  readonly tags: readonly string[]
}

/** Who is told what writes change; `app` joins it to the outbox. */
export interface WriteTracker {
  /**
   * Runs `work`, a write on the executor it is handed, and sees to it that its tags are bumped once it is committed and before
   * its caller learns of that. Inside a transaction of the caller they are bumped after that has committed.
   * `worst` are the tags when it is not known what `work` came to: its outcome was lost with the connection.
   */
  write<T>(work: (executor: Executor) => Promise<Written<T>>, worst: readonly string[]): Promise<T>
}
