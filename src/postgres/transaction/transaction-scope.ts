import { AsyncLocalStorage } from 'node:async_hooks'
import type { OpenTransaction } from './transaction.ts'

/** Which transaction the running code belongs to, by the door that opened it. */
export class TransactionScope {
  readonly #storage = new AsyncLocalStorage<OpenTransaction | undefined>()
  // Until the first transaction there is nothing to look up.
  #used = false

  /** The transaction that the caller runs in. */
  current(): OpenTransaction | undefined {
    return this.#used ? this.#storage.getStore() : undefined
  }

  run<T>(transaction: OpenTransaction, work: () => Promise<T>): Promise<T> {
    this.#used = true
    return this.#storage.run(transaction, work)
  }

  /** Runs `work` as if no transaction was open. */
  exit<T>(work: () => T): T {
    return this.#storage.run(undefined, work)
  }
}
