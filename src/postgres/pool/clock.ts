const tickMs = 50

/**
 * Calls `tick` every 50 ms while it returns true. One timer for a whole door: statements need no timer of their own, and
 * while anything is in flight it keeps the process alive, which the sockets by themselves do not.
 */
export class Clock {
  #timer: NodeJS.Timeout | undefined
  readonly #tick: (now: number) => boolean

  constructor(tick: (now: number) => boolean) {
    this.#tick = tick
  }

  /** Starts the ticks when they have stopped. */
  readonly wake = (): void => {
    this.#timer ??= setInterval(() => {
      if (!this.#tick(performance.now())) this.stop()
    }, tickMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
