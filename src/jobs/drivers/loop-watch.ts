import { writeSync } from 'node:fs'

/** What runs over its time is ended by its own time-out, if the loop is not blocked; that may take a while. */
const graceMs = 30_000

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
