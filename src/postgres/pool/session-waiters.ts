import { PlimsollError } from '../../core/errors.ts'
import type { Session } from '../session/session.ts'
import { cancelledError } from '../session/statement-errors.ts'

/** Somebody who waits for a session. */
export interface Waiter {
  /** Hands the session over; false when whoever waited has left, and the session is still the giver's. */
  accept(session: Session): boolean
  reject(error: unknown): void
}

/** Who waits for a session, first come, first served, for a bounded time. */
export class SessionWaiters {
  readonly #list = new Set<Waiter>()
  readonly #waitMs: number
  readonly #taken: string

  constructor(waitMs: number, taken: string) {
    this.#waitMs = waitMs
    this.#taken = taken
  }

  /** @throws PLIMSOLL_DATABASE_BUSY, PLIMSOLL_STATEMENT_CANCELLED */
  wait(signal: AbortSignal | undefined): Promise<Session> {
    const { promise, resolve, reject } = Promise.withResolvers<Session>()
    let here = true
    const leave = (): boolean => {
      if (!here) return false
      here = false
      this.#list.delete(waiter)
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      return true
    }
    const waiter: Waiter = {
      accept: (session) => {
        if (!leave()) return false
        resolve(session)
        return true
      },
      reject: (error) => {
        if (leave()) reject(error)
      },
    }
    const abort = (): void => waiter.reject(cancelledError())
    const timer = setTimeout(() => waiter.reject(this.#busy()), this.#waitMs)
    this.#list.add(waiter)
    signal?.addEventListener('abort', abort, { once: true })
    return promise
  }

  /** Takes the one who has waited longest out of the line; who leaves in the meantime does not accept. */
  next(): Waiter | undefined {
    const [first] = this.#list
    if (first !== undefined) this.#list.delete(first)
    return first
  }

  /** Hands a session to the first who accepts it; false when nobody does. */
  serve(session: Session): boolean {
    for (let waiter = this.next(); waiter !== undefined; waiter = this.next()) {
      if (waiter.accept(session)) return true
    }
    return false
  }

  rejectAll(error: unknown): void {
    for (const waiter of this.#list) waiter.reject(error)
  }

  #busy(): PlimsollError {
    return new PlimsollError(
      'PLIMSOLL_DATABASE_BUSY',
      `${this.#taken}, and none became free within ${this.#waitMs} ms; shorten what holds them, or raise the limit.`,
    )
  }
}
