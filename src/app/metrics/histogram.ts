/** Upper bounds of the buckets, in seconds: from a row by its key out of memory to a report that somebody waits for. */
const seconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

/** Counts durations by how long they were. */
export class Histogram {
  /** The upper bounds of the buckets, in seconds, in order; the last bucket, which has none, is not among them. */
  readonly bounds: readonly number[]
  /** How many fell into each bucket and no smaller one; one more than there are bounds. */
  readonly counts: number[]
  count = 0
  sumMs = 0

  /** `bounds`: other ones, such as those of things that take hours. */
  constructor(bounds: readonly number[] = seconds) {
    this.bounds = bounds
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  /** Counts one duration, in milliseconds. */
  observe(durationMs: number): void {
    // What is measured is short as a rule, so that counting up from below ends soon.
    const duration = durationMs / 1000
    let at = 0
    while (at < this.bounds.length && duration > this.bounds[at]!) at++
    this.counts[at]!++
    this.count++
    this.sumMs += durationMs
  }
}
