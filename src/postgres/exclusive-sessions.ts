import { PlimsollError } from '../core/errors.ts'
import { cancelledError, type Session } from './session.ts'
import type { SessionOpener } from './session-opener.ts'
import { closedError, type SharedSessions } from './shared-sessions.ts'

/** Hands out sessions that belong to one transaction (or cursor) at a time. */
export interface ExclusiveSessions {
  /** @throws PLIMSOLL_DATABASE_BUSY, PLIMSOLL_DATABASE_UNREACHABLE, PLIMSOLL_STATEMENT_CANCELLED */
  acquire(signal?: AbortSignal): Promise<Session>
  release(session: Session): void
  tick(now: number): boolean
  close(): Promise<void>
}

interface Waiter {
  resolve(session: Session): void
  reject(error: unknown): void
}

/** Who waits for a session, first come, first served, for a bounded time. */
class Waiters {
  readonly #list = new Set<Waiter>()
  readonly #waitMs: number
  readonly #taken: string

  constructor(waitMs: number, taken: string) {
    this.#waitMs = waitMs
    this.#taken = taken
  }

  get size(): number {
    return this.#list.size
  }

  wait(signal: AbortSignal | undefined): Promise<Session> {
    const { promise, resolve, reject } = Promise.withResolvers<Session>()
    const waiter: Waiter = { resolve, reject }
    this.#list.add(waiter)
    // Left at once, not when the promise has settled: a session handed to one who has given up would be lost.
    const leave = (error: PlimsollError): void => {
      this.#list.delete(waiter)
      reject(error)
    }
    const timer = setTimeout(() => leave(this.#busy()), this.#waitMs)
    const abort = (): void => leave(cancelledError())
    signal?.addEventListener('abort', abort, { once: true })
    return promise.finally(() => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    })
  }

  /** Takes the one who has waited longest. */
  next(): Waiter | undefined {
    const [first] = this.#list
    if (first !== undefined) this.#list.delete(first)
    return first
  }

  rejectAll(error: unknown): void {
    for (const waiter of this.#list) waiter.reject(error)
    this.#list.clear()
  }

  #busy(): PlimsollError {
    return new PlimsollError(
      'PLIMSOLL_DATABASE_BUSY',
      `${this.#taken}, and none became free within ${this.#waitMs} ms.`,
    )
  }
}

/** A pool of sessions of their own, up to `maxTransactions`; opened when needed, kept when idle. */
export class ExclusivePool implements ExclusiveSessions {
  readonly #opener: SessionOpener
  readonly #idle: Session[] = []
  readonly #all = new Set<Session>()
  readonly #waiters: Waiters
  #opening = 0
  #closing: (() => void) | undefined
  #closed = false

  constructor(opener: SessionOpener) {
    this.#opener = opener
    const { transactionWaitMs, maxTransactions } = opener.settings
    this.#waiters = new Waiters(transactionWaitMs, `All ${maxTransactions} connections for transactions are taken`)
  }

  async acquire(signal?: AbortSignal): Promise<Session> {
    if (this.#closed) throw closedError()
    if (signal?.aborted) throw cancelledError()
    const session = this.#takeIdle()
    if (session !== undefined) return session
    if (this.#all.size + this.#opening < this.#opener.settings.maxTransactions) return this.#open()
    return this.#waiters.wait(signal)
  }

  release(session: Session): void {
    if (!session.closed && (session.inFlight > 0 || session.inTransaction)) {
      session.destroy(new Error('The transaction did not end cleanly'))
    }
    if (session.closed) return this.#gone(session)
    const waiter = this.#waiters.next()
    if (waiter !== undefined) return waiter.resolve(session)
    this.#idle.push(session)
    this.#finishClosing()
  }

  tick(now: number): boolean {
    let busy = false
    for (const session of this.#all) {
      session.tick(now)
      if (session.inFlight > 0) busy = true
    }
    return busy
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#waiters.rejectAll(closedError())
    const drained = new Promise<void>((resolve) => {
      this.#closing = resolve
    })
    this.#finishClosing()
    await drained
    for (const session of this.#idle) session.end()
  }

  #takeIdle(): Session | undefined {
    for (let session = this.#idle.pop(); session !== undefined; session = this.#idle.pop()) {
      if (!session.closed) return session
    }
    return undefined
  }

  async #open(): Promise<Session> {
    this.#opening++
    try {
      const session = await this.#opener.open('transaction', { closed: (closed) => this.#gone(closed) })
      session.reserved = true
      this.#all.add(session)
      return session
    } finally {
      this.#opening--
    }
  }

  // A place has become free; whoever waits longest may open a session of its own.
  #gone(session: Session): void {
    if (!this.#all.delete(session)) return
    const index = this.#idle.indexOf(session)
    if (index >= 0) this.#idle.splice(index, 1)
    const waiter = this.#closed ? undefined : this.#waiters.next()
    if (waiter !== undefined) this.#open().then(waiter.resolve, waiter.reject)
    this.#finishClosing()
  }

  #finishClosing(): void {
    if (this.#closed && this.#idle.length === this.#all.size) this.#closing?.()
  }
}

/** For engines with one session (PGlite): a transaction takes the shared session, and everything else waits. */
export class ExclusiveTurns implements ExclusiveSessions {
  readonly #shared: SharedSessions
  readonly #waiters: Waiters
  readonly #freed = Promise.withResolvers<void>()
  #taken = false
  #closed = false

  constructor(shared: SharedSessions, waitMs: number) {
    this.#shared = shared
    this.#waiters = new Waiters(waitMs, 'The one session of PGlite is taken by another transaction')
  }

  async acquire(signal?: AbortSignal): Promise<Session> {
    if (signal?.aborted) throw cancelledError()
    const session = this.#shared.sessions[0]
    if (session === undefined || this.#closed) throw closedError()
    if (this.#taken) return this.#waiters.wait(signal)
    this.#taken = true
    session.reserved = true
    return session
  }

  release(session: Session): void {
    const waiter = this.#waiters.next()
    if (waiter !== undefined) return waiter.resolve(session)
    this.#taken = false
    session.reserved = false
    session.owner.answered?.(session)
    if (this.#closed) this.#freed.resolve()
  }

  tick(): boolean {
    return false
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#waiters.rejectAll(closedError())
    if (this.#taken) await this.#freed.promise
  }
}
