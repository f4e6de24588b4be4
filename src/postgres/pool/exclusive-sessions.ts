import type { Session } from '../session/session.ts'

/** Hands out sessions that belong to one transaction (or cursor) at a time. */
export interface ExclusiveSessions {
  /** @throws PLIMSOLL_DATABASE_BUSY, PLIMSOLL_DATABASE_UNREACHABLE, PLIMSOLL_STATEMENT_CANCELLED */
  acquire(signal?: AbortSignal): Promise<Session>
  /** Takes a session back. A transaction that is still open on it is rolled back, or its connection closed. */
  release(session: Session): void
  /** Takes back a session that its user no longer trusts. */
  discard(session: Session): void
  tick(now: number): boolean
  /** Ends the connections of those who hold a session. */
  cut(): void
  /** Refuses whoever comes from now on, and resolves when everybody who holds a session has given it back. */
  close(): Promise<void>
}
