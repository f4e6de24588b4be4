/**
 * Hands what is added to `flush` together: at the end of the turn, and while one flush is under way, after that. What `flush`
 * rejects with is dropped: it is for work that somebody else does later when it fails.
 */
export class Batched<T> {
  readonly #flush: (items: T[]) => Promise<void>
  #items: T[] = []
  #running: Promise<void> | undefined

  constructor(flush: (items: T[]) => Promise<void>) {
    this.#flush = flush
  }

  add(items: readonly T[]): void {
    for (const item of items) this.#items.push(item)
    if (this.#items.length > 0) this.#running ??= this.#run()
  }

  /** Resolves when nothing is left to flush. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#items.length > 0) {
      const items = this.#items
      this.#items = []
      await this.#flush(items).catch(ignore)
    }
    this.#running = undefined
  }
}

function ignore(): void {}
