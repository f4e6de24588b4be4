import { AsyncLocalStorage } from 'node:async_hooks'
import type { RunTarget } from '../session/execute.ts'
import type { OpenTransaction } from './transaction.ts'
import { WatchedWrites } from './watched-writes.ts'

/** Which transaction the running code belongs to, by the door that opened it; and who watches what is written through that. */
export class TransactionScope {
  readonly writes = new WatchedWrites()
  /**
   * Sends a question right behind a COMMIT and resolves with its answer, whatever that is; undefined when nobody wants to know. See
   * `PrimaryPosition.noteCommit`.
   */
  noteCommit: ((target: RunTarget) => Promise<void>) | undefined
  readonly #storage = new AsyncLocalStorage<OpenTransaction | undefined>()
  // Until the first transaction there is nothing to look up.
  #used = false

  /** The transaction that the caller runs in. */
  current(): OpenTransaction | undefined {
    return this.#used ? this.#storage.getStore() : undefined
  }

  run<T>(transaction: OpenTransaction, work: () => Promise<T>): Promise<T> {
    this.#used = true
    // Awaited inside: what is returned may be lazy, as querysets and Drizzle's queries are, and run only then.
    return this.#storage.run(transaction, async () => await work())
  }

  /** Runs `work` as if no transaction was open. */
  exit<T>(work: () => T): T {
    return this.#storage.run(undefined, work)
  }
}
