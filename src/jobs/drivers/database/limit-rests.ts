import type { JobLimit } from '../../contract.ts'

/** The parts of {@link LimitRests}. */
interface LimitRestsParts {
  readonly limits: ReadonlyMap<string, JobLimit>
  /** Called when a limit has rested. */
  readonly again: () => void
  /** Tells other processes that a run of a limit has ended. */
  readonly tell: (limit: string) => void
}

/** How long a bound on concurrency is left alone once it is reached, should nobody tell of the end of a run. */
const busyMs = 200
/** A timer can be early by the clock of the database. */
const slackMs = 2
/** No timer is set for longer. */
const longestTimerMs = 2 ** 31 - 1

/** The limits that are left alone for now: as many of their jobs run as may, or none may begin yet. */
export class LimitRests {
  readonly #parts: LimitRestsParts
  /** Until a run ends. */
  readonly #busy = new Map<string, NodeJS.Timeout>()
  /** Until the rate allows another one. */
  readonly #spent = new Map<string, NodeJS.Timeout>()
  /** A run has ended since it was asked what they allow. */
  readonly #freed = new Set<string>()
  /** A run has ended here, and this process has not reached the bound again. */
  readonly #untold = new Set<string>()
  #closed = false

  constructor(parts: LimitRestsParts) {
    this.#parts = parts
  }

  has(limit: string): boolean {
    return this.#busy.has(limit) || this.#spent.has(limit)
  }

  /** It is being asked from now on what a limit allows. */
  asked(limit: string): void {
    this.#freed.delete(limit)
  }

  /** As many run as may, by what was asked; unless one has ended meanwhile. */
  reached(limit: string): void {
    if (this.#freed.has(limit)) return this.#parts.again()
    this.#untold.delete(limit)
    this.#rest(this.#busy, limit, busyMs)
  }

  /** Another one may begin in so many milliseconds, and not before. */
  spent(limit: string, againInMs: number): void {
    this.#rest(this.#spent, limit, Math.min(againInMs + slackMs, longestTimerMs))
  }

  /** A run has ended, and what came of it is stored. */
  freed(limit: string): void {
    this.#freed.add(limit)
    const timer = this.#busy.get(limit)
    if (timer === undefined) return
    clearTimeout(timer)
    this.#busy.delete(limit)
    this.#parts.again()
  }

  /** One of this process has, of a limit or none. */
  ended(limit: string | undefined): void {
    if (limit === undefined) return
    const bound = this.#parts.limits.get(limit)
    if (bound !== undefined && bound.concurrency === undefined) return
    this.#untold.add(limit)
    this.freed(limit)
    if (this.#closed) this.tell()
  }

  /**
   * Tells of runs that have ended here without another one in their place: others may have been waiting for that. Of a limit that is being
   * asked it is not known yet.
   */
  tell(isAsked: (limit: string) => boolean = () => false): void {
    for (const limit of this.#untold) {
      if (isAsked(limit)) continue
      this.#untold.delete(limit)
      this.#parts.tell(limit)
    }
  }

  /** Nothing begins any more. */
  close(): void {
    this.#closed = true
    for (const rests of [this.#busy, this.#spent]) {
      for (const timer of rests.values()) clearTimeout(timer)
      rests.clear()
    }
  }

  #rest(rests: Map<string, NodeJS.Timeout>, limit: string, ms: number): void {
    clearTimeout(rests.get(limit))
    const end = (): void => {
      rests.delete(limit)
      this.#parts.again()
    }
    rests.set(limit, setTimeout(end, ms).unref())
  }
}
