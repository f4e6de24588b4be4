import type { Transaction } from '../postgres/index.ts'
import type { TransactionalExecutor } from './context.ts'
import type { CachedOptions } from './types/cached.ts'

/** Where answers of cached querysets are kept; `app` joins it to the cache. */
export interface QueryCache {
  /**
   * The bytes under `key`, loaded by `load` when they are not there. `tags` name everything that they depend on. Inside a
   * transaction it always loads, and keeps nothing. `load` runs for all who wait for it: `signal` ends the waiting of one
   * reader alone, the signal that `load` is handed (if it is handed one) the load itself.
   */
  get(
    key: string,
    load: (signal?: AbortSignal) => Promise<Buffer>,
    options: CachedOptions & { readonly tags: readonly string[]; readonly signal?: AbortSignal | undefined },
  ): Promise<Buffer>
  /**
   * True when `get` would only load, and keep nothing: inside a transaction. Reads then run as if they were not cached, without
   * recording what they read. Default: never.
   */
  bypassed?(): boolean
  /**
   * What tells the database apart from others whose answers are kept in the same place. Default: there are none.
   */
  readonly database?: string | undefined
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
   *
   * `within` is the transaction that a write names (`tx.posts.create(…)`): `work` is handed that one, also when it is called from
   * outside the scope of the transaction, and its tags are bumped after the outermost one has committed. Without it `work` is
   * handed what joins the transaction that the caller runs in, if there is one. The statements of `work` are `tracked`. Work that
   * takes several statements opens a transaction (or savepoint) of its own on what it is handed.
   */
  write<T>(
    work: (executor: TransactionalExecutor) => Promise<Written<T>>,
    worst: readonly string[],
    within?: Transaction,
  ): Promise<T>
}
