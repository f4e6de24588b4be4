import type { Run } from './run-job.ts'

/** What is over sooner needs no timer: a short run is spared what setting and clearing one costs. */
const lookMs = 50
/** The longest time that a timer can be set to. */
const mostMs = 2 ** 31 - 1

/** Ends runs that are out of time. */
export class Deadlines {
  readonly #running: () => Iterable<Run>
  #timer: NodeJS.Timeout | undefined

  /** `running` tells what runs. */
  constructor(running: () => Iterable<Run>) {
    this.#running = running
  }

  began(run: Run): void {
    if (run.definition.timeoutMs < 2 * lookMs) this.#set(run)
    else if (this.#timer === undefined) this.#timer = setTimeout(() => this.#look(), lookMs).unref()
  }

  #look(): void {
    this.#timer = undefined
    // Nobody would clear that of a run which has ended and is about to be stored: it would keep the run, and its input, for all its time.
    for (const run of this.#running()) if (run.timer === undefined && !run.ended) this.#set(run)
  }

  #set(run: Run): void {
    run.timer = setTimeout(() => run.end('timeout'), Math.min(run.until - performance.now(), mostMs)).unref()
  }
}
