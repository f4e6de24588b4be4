import type { LeasedJob } from '../../contract.ts'

/** A job that was delivered to this process. */
export interface DeliveredJob {
  readonly job: LeasedJob
  /** Its message, for whom it is to be acknowledged to. */
  readonly channel: number
  readonly tag: number
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

  /** Takes what has been here for longer than that, when none of it has begun since the last call. */
  takeStuck(ms: number): DeliveredJob[] {
    const stands = this.#begun === this.#begunBefore
    this.#begunBefore = this.#begun
    const before = performance.now() - ms
    return stands ? this.remove(({ arrivedAt }) => arrivedAt < before) : []
  }
}
