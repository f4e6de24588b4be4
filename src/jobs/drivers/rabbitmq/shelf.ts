import type { LeasedJob } from '../../contract.ts'

/** A message that was delivered to this process. */
export interface DeliveredMessage {
  /** Whom it is to be acknowledged to. */
  readonly channel: number
  readonly tag: number
  /** How many of its jobs are not done with. */
  left: number
}

/** A job that was delivered to this process, with others perhaps. */
export interface DeliveredJob {
  readonly job: LeasedJob
  readonly message: DeliveredMessage
  readonly arrivedAt: number
}

/** The jobs of one queue that are here and have not begun, in the order in which they came. */
export class Shelf {
  #jobs: DeliveredJob[] = []
  #begun = 0
  #begunBefore = 0

  get size(): number {
    return this.#jobs.length
  }

  get ids(): string[] {
    return this.#jobs.map(({ job }) => job.id)
  }

  put(job: DeliveredJob): void {
    this.#jobs.push(job)
  }

  take(most: number): DeliveredJob[] {
    const taken = this.#jobs.splice(0, most)
    this.#begun += taken.length
    return taken
  }

  /** Takes what fits, whoever it is for. */
  remove(fits: (job: DeliveredJob) => boolean): DeliveredJob[] {
    const removed = this.#jobs.filter(fits)
    if (removed.length > 0) this.#jobs = this.#jobs.filter((job) => !fits(job))
    return removed
  }

  /** Takes what has been here for longer than that: all of it when nothing has begun since the last call, else what is over `most`. */
  takeStuck(ms: number, most: number): DeliveredJob[] {
    const kept = this.#begun === this.#begunBefore ? 0 : most
    this.#begunBefore = this.#begun
    const before = performance.now() - ms
    const over = new Set(this.#jobs.slice(kept))
    return over.size === 0 ? [] : this.remove((job) => job.arrivedAt < before && over.has(job))
  }
}
