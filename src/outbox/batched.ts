/**
 * Hands what is added to `flush` together: what has come within `delayMs`, and while one flush is under way, after that. What
 * `flush` rejects with is dropped, and so is what waits when the process ends: it is for work that somebody else does later when
 * it is not done here.
 */
export class Batched<T> {
  readonly #flush: (items: T[]) => Promise<void>
  readonly #delayMs: number
  #items: T[] = []
  #running: Promise<void> | undefined
  #hurry: (() => void) | undefined

  constructor(delayMs: number, flush: (items: T[]) => Promise<void>) {
    this.#delayMs = delayMs
    this.#flush = flush
  }

  add(items: readonly T[]): void {
    for (const item of items) this.#items.push(item)
    if (this.#items.length > 0) this.#running ??= this.#run()
  }

  /** Flushes at once, and resolves when nothing is left. */
  async idle(): Promise<void> {
    this.#hurry?.()
    await this.#running
  }

  async #run(): Promise<void> {
    await this.#wait()
    while (this.#items.length > 0) {
      const items = this.#items
      this.#items = []
      await this.#flush(items).catch(ignore)
    }
    this.#running = undefined
  }

  async #wait(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, this.#delayMs)
    timer.unref()
    this.#hurry = () => {
      clearTimeout(timer)
      resolve()
    }
    await promise
    this.#hurry = undefined
  }
}

function ignore(): void {}
