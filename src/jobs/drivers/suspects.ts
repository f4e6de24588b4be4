import { mostDeaths, type LeasedJob } from '../contract.ts'

/** What is known of a job: nothing, that it has lost a worker, or may have, or that it has lost two. */
export type Suspicion = 'none' | 'suspect' | 'prime'

/**
 * How long one whose worker has died is looked at before more begin beside it. It is short enough that all orphans of a killed worker begin
 * within 30 s: see the test.
 */
const momentMs = 500
/** A worker that is killed within this time has its run in no books when its jobs come over a broker; a longer run has. */
const quickMs = 100
/** What others have shown is forgotten after so long: what comes then has lost another worker than they had. */
const forgetMs = 5000

/**
 * The jobs that run here whose worker has died: one of those it ran may be to blame, and would take this worker along, with all that runs
 * here. Who was killed from outside leaves innocents, and all of them are to go on soon, however long they run. So it goes by deaths:
 *
 * - *Suspects* have lost one worker, or may have. What kills its worker mostly does so at once, or once a while into its work, and a run
 *   cannot be waited for to its end to tell. One begins; when it has come through a moment, two more do, then four, and so on: a thousand
 *   have begun within five seconds, and one that kills at once has few others with it. One that kills later has: they have lost two then,
 *   which is still no harm.
 * - *Prime suspects* have lost two or more: one more, and they are in quarantine. That has to be their own doing. So they run one at a
 *   time until their end: when one of them kills its worker, that was the last death of nobody else there. Innocents among them have their turn,
 *   and come through it.
 *
 * They hold up nobody but each other: new jobs run beside them.
 */
export class Suspects {
  readonly #free: () => void
  /** Those that have not come through their moment. */
  readonly #looked = new Map<string, NodeJS.Timeout>()
  readonly #prime = new Set<string>()
  /** How many have come through it. */
  #through = 0
  #throughAt = 0

  /** `free` is called when more may begin though none has ended. */
  constructor(free: () => void) {
    this.#free = free
  }

  /** How many may begin now. */
  open(suspicion: Suspicion): number {
    if (suspicion === 'none') return Number.POSITIVE_INFINITY
    if (suspicion === 'prime') return this.#prime.size === 0 ? 1 : 0
    if (this.#looked.size === 0 && performance.now() - this.#throughAt > forgetMs) this.#through = 0
    return Math.max(0, 1 + this.#through - this.#looked.size)
  }

  began({ id, deaths }: LeasedJob): void {
    if (isPrime(deaths)) {
      this.#prime.add(id)
      return
    }
    const through = (): void => {
      this.#looked.delete(id)
      this.#noteThrough()
      this.#free()
    }
    this.#looked.set(id, setTimeout(through, deaths > 0 ? momentMs : quickMs).unref())
  }

  /** A run has ended, and what came of it is stored: until then the death of this process would count for it. */
  ended({ id, deaths }: LeasedJob): void {
    this.#prime.delete(id)
    const timer = this.#looked.get(id)
    if (timer === undefined) return
    clearTimeout(timer)
    this.#looked.delete(id)
    // What may have been in no books when its worker died would have killed within so short a time that its end shows little of others.
    if (deaths > 0) this.#noteThrough()
  }

  #noteThrough(): void {
    this.#through++
    this.#throughAt = performance.now()
  }
}

/** True for who has lost so many workers that it is in quarantine with the next one. */
function isPrime(deaths: number): boolean {
  return deaths >= mostDeaths - 1
}
