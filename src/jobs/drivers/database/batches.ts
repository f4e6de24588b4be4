/** How things are put together, and what is done with them. */
export interface BatchesParts<T> {
  /** Only things of one group go together. */
  readonly groupOf: (item: T) => string | number
  /** How large it is; a batch that has come to {@link mostChars} takes no more. */
  readonly charsOf: (item: T) => number
  /** While a statement is under way, a second one is begun for so many at least; the first one always is. Default 1. */
  readonly leastBeside?: number
  /** Not expected to reject. */
  readonly send: (batch: readonly T[]) => Promise<void>
}

const mostAtOnce = 500
/** Outputs that are large go in statements of their own. */
const mostChars = 4_000_000
const mostInFlight = 2

/** Things that go into statements: those together that come while a statement is under way. */
export class Batches<T> {
  readonly #parts: BatchesParts<T>
  #waiting: T[] = []
  #inFlight = 0
  #scheduled = false
  #idle: (() => void)[] = []

  constructor(parts: BatchesParts<T>) {
    this.#parts = parts
  }

  add(item: T): void {
    this.#waiting.push(item)
    this.#schedule()
  }

  /** Resolves when everything was sent. */
  async idle(): Promise<void> {
    if (this.#waiting.length > 0 || this.#inFlight > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  /** Takes back what was not sent yet. */
  drop(): readonly T[] {
    return this.#waiting.splice(0)
  }

  #schedule(): void {
    if (this.#scheduled || !this.#mayGo()) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      while (this.#mayGo()) void this.#send(this.#next())
    })
  }

  #mayGo(): boolean {
    if (this.#inFlight === 0) return this.#waiting.length > 0
    return this.#inFlight < mostInFlight && this.#waiting.length >= (this.#parts.leastBeside ?? 1)
  }

  #next(): readonly T[] {
    const { groupOf, charsOf } = this.#parts
    const group = groupOf(this.#waiting[0]!)
    const batch: T[] = []
    const others: T[] = []
    let chars = 0
    let at = 0
    for (; at < this.#waiting.length && batch.length < mostAtOnce && chars <= mostChars; at++) {
      const item = this.#waiting[at]!
      if (groupOf(item) !== group) {
        others.push(item)
        continue
      }
      batch.push(item)
      chars += charsOf(item)
    }
    this.#waiting = [...others, ...this.#waiting.slice(at)]
    return batch
  }

  async #send(batch: readonly T[]): Promise<void> {
    this.#inFlight++
    await this.#parts.send(batch)
    this.#inFlight--
    if (this.#waiting.length > 0) this.#schedule()
    else if (this.#inFlight === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}
