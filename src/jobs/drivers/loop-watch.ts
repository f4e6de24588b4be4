import { writeSync } from 'node:fs'

/**
 * How long a loop may be silent beyond the time of what runs there before it is taken for one that has gone astray, in milliseconds. A run
 * that is over its time is ended by its time-out once the loop is free again, so a job that only blocks it is not to run twice: a minute or
 * two of that happen. One that never ends is found a little later for it.
 */
const graceMs = 120_000

/** What a thread beside the event loop knows of it; see {@link SignsOfLife}. */
export class LoopWatch {
  #aliveAt = performance.now()
  #mostMs = Number.POSITIVE_INFINITY
  #reported = false

  /** The loop goes round, and may be silent for so long from now. */
  alive(mostMs: number): void {
    this.#aliveAt = performance.now()
    this.#mostMs = mostMs
    this.#reported = false
  }

  /** True when whatever runs there should have ended long ago: others may have it. */
  get astray(): boolean {
    return this.#silentMs > this.#mostMs + graceMs
  }

  /** Says, once, that a loop which is silent for longer than that is blocked. */
  report(blockedMs: number): void {
    if (this.#reported || this.#silentMs <= blockedMs) return
    this.#reported = true
    // Not console: in a thread it goes through the loop that is blocked.
    writeSync(
      2,
      `A job blocks the event loop of process ${process.pid}; give it sandbox: true, or hand the loop back between steps.\n`,
    )
  }

  get #silentMs(): number {
    return performance.now() - this.#aliveAt
  }
}
