/** How things are put together, and what is done with them. */
export interface BatchesParts<T> {
  /** Only things of one group go together. */
  readonly groupOf: (item: T) => string
  /** How large it is; a batch that has come to {@link mostChars} takes no more. */
  readonly charsOf: (item: T) => number
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
    if (this.#scheduled || this.#inFlight >= mostInFlight) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      while (this.#waiting.length > 0 && this.#inFlight < mostInFlight) void this.#send(this.#next())
    })
  }

  #next(): readonly T[] {
    const { groupOf, charsOf } = this.#parts
    const group = groupOf(this.#waiting[0]!)
    const batch = new Set<T>()
    let chars = 0
    for (const item of this.#waiting) {
      if (batch.size >= mostAtOnce || chars > mostChars) break
      if (groupOf(item) !== group) continue
      batch.add(item)
      chars += charsOf(item)
    }
    this.#waiting = this.#waiting.filter((item) => !batch.has(item))
    return [...batch]
  }

  async #send(batch: readonly T[]): Promise<void> {
    this.#inFlight++
    await this.#parts.send(batch)
    this.#inFlight--
    if (this.#waiting.length > 0) this.#schedule()
    else if (this.#inFlight === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }
}
