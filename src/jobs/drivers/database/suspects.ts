import type { LeasedJob } from '../../contract.ts'

/** A worker that is killed within this time has its run in no books when its jobs come over a broker; a longer run has. */
const quickMs = 100

/**
 * The jobs that run here whose worker has died, or may have: one at a time, since it may be the one to blame. Of a job that only may have
 * killed one it is known after a moment that it does not do so at once, and the next may begin.
 */
export class Suspects {
  readonly #free: () => void
  readonly #running = new Map<string, NodeJS.Timeout | undefined>()

  /** `free` is called when one is a suspect no more though it runs. */
  constructor(free: () => void) {
    this.#free = free
  }

  /** True while no other may begin. */
  get busy(): boolean {
    return this.#running.size > 0
  }

  began({ id, deaths }: LeasedJob): void {
    const clear = (): void => {
      this.#running.delete(id)
      this.#free()
    }
    this.#running.set(id, deaths > 0 ? undefined : setTimeout(clear, quickMs).unref())
  }

  ended({ id }: LeasedJob): void {
    clearTimeout(this.#running.get(id))
    this.#running.delete(id)
  }
}
