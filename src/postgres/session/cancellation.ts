import { backoffMs } from '../../core/backoff.ts'
import type { RunQueue, StatementRun } from './statement-run.ts'

// How long a cancelled statement may go on before the connection is taken for dead.
const deadAfterMs = 5000
// How long after a CancelRequest its error may still arrive, at whatever statement then runs.
const strayMs = 1000
const again = { firstMs: 100, mostMs: 2000 }

/**
 * The cancellations of one session. A CancelRequest names the session and not the statement, so it is sent when its
 * statement is at the head, and while one is wanted nothing is sent behind it (the *fence*) that it could hit instead.
 */
export class Cancellation {
  /** True while nothing may be sent. */
  fenced = false
  readonly #sent: RunQueue
  readonly #request: (() => Promise<void>) | undefined
  readonly #lowered: () => void
  #onItsWay = false
  #tries = 0
  #wantedAt = 0
  #nextAt = 0
  #requestedAt = Number.NEGATIVE_INFINITY

  /**
   * `request` sends a CancelRequest and resolves when the server has acted on it; undefined where nothing can be
   * cancelled. `lowered` is called when a request has been acted on.
   */
  constructor(sent: RunQueue, request: (() => Promise<void>) | undefined, lowered: () => void) {
    this.#sent = sent
    this.#request = request
    this.#lowered = lowered
  }

  /** Begins for a run that is in flight and has been given its reason. */
  begin(): void {
    if (this.#request === undefined) return
    this.fenced = true
    this.#pursue()
  }

  /** The statement at the head was answered: the next one may be wanted too. */
  answered(): void {
    this.#tries = 0
    this.#wantedAt = 0
    if (this.fenced) this.#lower()
  }

  /** Asks again for the statement at the head when it is time; false when the server has had its time. */
  tick(head: StatementRun, now: number): boolean {
    if (head.cancelReason === undefined || this.#wantedAt === 0) return true
    // A CancelRequest that arrives before its statement does nothing, so one is not enough.
    if (now >= this.#nextAt) this.#pursue()
    return now - this.#wantedAt <= deadAfterMs
  }

  /**
   * True when an error that says "cancelled" may stem from a request that was meant for an earlier statement: its error can come
   * before we hear that the server has taken it.
   */
  mayHaveStrayed(run: StatementRun): boolean {
    return run.cancelReason === undefined && (this.#onItsWay || performance.now() - this.#requestedAt < strayMs)
  }

  #pursue(): void {
    if (this.#request === undefined || this.#onItsWay || this.#sent.head?.cancelReason === undefined) return
    const now = performance.now()
    if (this.#wantedAt === 0) this.#wantedAt = now
    this.#nextAt = now + backoffMs(++this.#tries, again)
    this.#onItsWay = true
    const done = (): void => {
      this.#onItsWay = false
      this.#requestedAt = performance.now()
      this.#lower()
      this.#lowered()
    }
    this.#request().then(done, done)
  }

  /** Lowers the fence once no cancellation is wanted and none is on its way. */
  #lower(): void {
    if (this.#onItsWay) return
    for (let run = this.#sent.head; run !== undefined; run = run.next) {
      if (run.cancelReason === undefined) continue
      // The one at the head is asked for again by the clock, the others when they come to the head.
      if (this.#tries === 0) this.#pursue()
      return
    }
    this.fenced = false
  }
}
