import type { ExclusiveSessions } from './exclusive-sessions.ts'
import { runText } from '../session/execute.ts'
import type { Session } from '../session/session.ts'
import { cancelledError, closedError } from '../session/statement-errors.ts'
import { SessionWaiters } from './session-waiters.ts'
import type { SharedSessions } from './shared-sessions.ts'

/** For engines with one session (PGlite): a transaction takes the shared session, and everything else waits. */
export class ExclusiveTurns implements ExclusiveSessions {
  readonly #shared: SharedSessions
  readonly #waiters: SessionWaiters
  #taken = false
  #closing: PromiseWithResolvers<void> | undefined

  constructor(shared: SharedSessions, waitMs: number) {
    this.#shared = shared
    this.#waiters = new SessionWaiters(waitMs, 'The one session of PGlite is taken by another transaction')
  }

  async acquire(signal?: AbortSignal): Promise<Session> {
    if (signal?.aborted) throw cancelledError()
    const session = this.#shared.sessions[0]
    if (session === undefined || this.#closing) throw closedError()
    if (this.#taken) return this.#waiters.wait(signal)
    this.#taken = true
    session.reserved = true
    return session
  }

  release(session: Session): void {
    if (session.closed || (session.inFlight === 0 && !session.inTransaction)) return this.#passOn(session)
    // Left open by its user; nobody else may get into it.
    const target = { submit: session.send.bind(session), cancel: () => {} }
    const passOn = (): void => this.#passOn(session)
    runText(target, 'rollback').then(passOn, passOn)
  }

  discard(session: Session): void {
    this.release(session)
  }

  tick(): boolean {
    return false
  }

  cut(): void {
    // The shared session goes with the others.
    this.#closing?.resolve()
  }

  async close(): Promise<void> {
    this.#closing ??= Promise.withResolvers()
    this.#waiters.rejectAll(closedError())
    if (this.#taken) await this.#closing.promise
  }

  #passOn(session: Session): void {
    // What has waited outside goes first: one transaction after another would starve it.
    session.reserved = false
    session.owner.answered?.(session)
    session.reserved = true
    if (!session.closed && this.#waiters.serve(session)) return
    session.reserved = false
    this.#taken = false
    this.#closing?.resolve()
  }
}
