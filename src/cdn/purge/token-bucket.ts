import type { PurgeRate } from './purge-api.ts'

/** Gives turns at a rate, with as many at once as the burst allows; in the order they are asked for. */
export class TokenBucket {
  readonly #burst: number
  readonly #perMs: number
  /** May be negative: what was promised to those who wait. */
  #tokens: number
  #filledAt = performance.now()

  constructor({ burst, perSecond }: Pick<PurgeRate, 'burst' | 'perSecond'>) {
    this.#burst = burst
    this.#perMs = perSecond / 1000
    this.#tokens = burst
  }

  /**
   * Takes tokens, and says how long to wait before they may be used, in milliseconds; takes nothing, and says undefined, when that is
   * longer than `mostMs`. More than the burst are taken as the burst.
   */
  take(tokens: number, mostMs: number): number | undefined {
    this.#fill()
    const left = this.#tokens - Math.min(tokens, this.#burst)
    const waitMs = left >= 0 ? 0 : -left / this.#perMs
    if (waitMs > mostMs) return undefined
    this.#tokens = left
    return waitMs
  }

  #fill(): void {
    const now = performance.now()
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filledAt) * this.#perMs)
    this.#filledAt = now
  }
}
