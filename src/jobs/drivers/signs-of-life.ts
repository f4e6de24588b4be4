const everyMs = 1000

/** The parts of {@link SignsOfLife}. */
interface SignsOfLifeParts {
  /** How long what runs now may still run, in milliseconds. */
  readonly mostMs: () => number
  /** Tells the thread that the loop goes round, and that it may be silent for so long from now. */
  readonly tell: (mostMs: number) => void
  /** How often it is told at least, in milliseconds. Default 1000. */
  readonly everyMs?: number | undefined
}

/**
 * Tells a thread beside the event loop that the loop goes round, and how long what runs may keep it from doing so: now and then, and at once
 * when something begins that may take longer, since it may block the loop before the next word.
 */
export class SignsOfLife {
  readonly #parts: SignsOfLifeParts
  /** Until when the thread sees nothing wrong in silence. */
  #toldUntil = 0
  #timer: NodeJS.Timeout | undefined

  constructor(parts: SignsOfLifeParts) {
    this.#parts = parts
  }

  open(): void {
    this.#timer = setInterval(() => this.#tell(this.#parts.mostMs()), this.#parts.everyMs ?? everyMs)
    this.#timer.unref()
  }

  /** Runs have been taken in this turn of the event loop. */
  began(): void {
    const mostMs = this.#parts.mostMs()
    if (performance.now() + mostMs > this.#toldUntil) this.#tell(mostMs)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** A little more than it is, so that what begins until the next word need not be told of one by one. */
  #tell(mostMs: number): void {
    this.#toldUntil = performance.now() + mostMs + everyMs
    this.#parts.tell(mostMs + everyMs)
  }
}
