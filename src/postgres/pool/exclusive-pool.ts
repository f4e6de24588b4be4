import type { ExclusiveSessions } from './exclusive-sessions.ts'
import type { Session } from '../session/session.ts'
import { cancelledError, closedError } from '../session/statement-errors.ts'
import type { SessionOpener } from '../session/session-opener.ts'
import { SessionWaiters } from './session-waiters.ts'

/** A pool of sessions of their own, up to `maxTransactions`; opened when needed, kept when idle. */
export class ExclusivePool implements ExclusiveSessions {
  readonly #opener: SessionOpener
  readonly #idle: Session[] = []
  readonly #all = new Set<Session>()
  readonly #waiters: SessionWaiters
  #opening = 0
  #isCut = false
  #closing: PromiseWithResolvers<void> | undefined

  constructor(opener: SessionOpener) {
    this.#opener = opener
    const { transactionWaitMs, maxTransactions } = opener.settings
    const taken = `All ${maxTransactions} connections for transactions (maxTransactions) are taken`
    this.#waiters = new SessionWaiters(transactionWaitMs, taken)
  }

  async acquire(signal?: AbortSignal): Promise<Session> {
    if (this.#closing) throw closedError()
    if (signal?.aborted) throw cancelledError()
    const session = this.#takeIdle()
    if (session !== undefined) return session
    return this.#hasRoom() ? this.#open() : this.#waiters.wait(signal)
  }

  release(session: Session): void {
    if (!session.closed && (session.inFlight > 0 || session.inTransaction)) {
      session.destroy(new Error('The transaction did not end cleanly'))
    }
    if (session.closed) return this.#gone(session)
    if (this.#waiters.serve(session)) return
    this.#idle.push(session)
    this.#finishClosing()
  }

  discard(session: Session): void {
    session.destroy()
    this.release(session)
  }

  tick(now: number): boolean {
    let busy = false
    for (const session of this.#all) {
      session.tick(now)
      if (session.inFlight > 0) busy = true
    }
    return busy
  }

  cut(): void {
    this.#isCut = true
    for (const session of this.#all) session.destroy(new Error('The pool was closed before its transaction had ended'))
  }

  async close(): Promise<void> {
    this.#closing ??= Promise.withResolvers()
    this.#waiters.rejectAll(closedError())
    this.#finishClosing()
    await this.#closing.promise
    for (const session of this.#idle) session.end()
  }

  #takeIdle(): Session | undefined {
    for (let session = this.#idle.pop(); session !== undefined; session = this.#idle.pop()) {
      if (!session.closed) return session
    }
    return undefined
  }

  #hasRoom(): boolean {
    return this.#all.size + this.#opening < this.#opener.settings.maxTransactions
  }

  async #open(): Promise<Session> {
    this.#opening++
    try {
      const session = await this.#opener.open('transaction', { closed: (closed) => this.#gone(closed) })
      if (this.#isCut) {
        // It was on its way when the others were ended.
        session.destroy()
        throw closedError()
      }
      session.reserved = true
      this.#all.add(session)
      return session
    } catch (error) {
      // The place is free again, for whoever has come to wait for it since.
      queueMicrotask(() => this.#openForNext())
      throw error
    } finally {
      this.#opening--
      this.#finishClosing()
    }
  }

  #gone(session: Session): void {
    if (!this.#all.delete(session)) return
    const index = this.#idle.indexOf(session)
    if (index >= 0) this.#idle.splice(index, 1)
    this.#openForNext()
    this.#finishClosing()
  }

  /** A place has become free: whoever waits longest gets a session opened. */
  #openForNext(): void {
    if (this.#closing || !this.#hasRoom()) return
    const waiter = this.#waiters.next()
    if (waiter === undefined) return
    this.#open().then((session) => {
      if (!waiter.accept(session)) this.release(session)
    }, waiter.reject)
  }

  #finishClosing(): void {
    if (this.#opening === 0 && this.#idle.length === this.#all.size) this.#closing?.resolve()
  }
}
