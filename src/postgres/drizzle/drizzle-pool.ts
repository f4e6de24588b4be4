import type { CommandResult } from '../contract.ts'
import { QueryingClient, TransactionClient, runPgQuery } from './drizzle-client.ts'
import type { ExclusiveSessions } from '../pool/exclusive-sessions.ts'
import { settle, type RunTarget } from '../session/execute.ts'
import type { Session } from '../session/session.ts'
import type { TransactionScope } from '../transaction/transaction-scope.ts'

/**
 * What Drizzle gets as its pool. Queries join the running transaction, or go to the shared sessions. (Drizzle knows a
 * pool by the word in the name of its class, and then asks it for a client for each transaction.)
 */
export class DrizzlePool extends QueryingClient {
  readonly #shared: RunTarget
  readonly #exclusive: ExclusiveSessions
  readonly #scope: TransactionScope

  constructor(parts: {
    readonly shared: RunTarget
    readonly exclusive: ExclusiveSessions
    readonly scope: TransactionScope
  }) {
    super()
    this.#shared = parts.shared
    this.#exclusive = parts.exclusive
    this.#scope = parts.scope
  }

  /** A client for one transaction of Drizzle's: of the running transaction, or with a session of its own. */
  async connect(): Promise<TransactionClient | SessionClient> {
    const transaction = this.#scope.current()
    if (transaction !== undefined) return new TransactionClient(transaction)
    return new SessionClient(await this.#exclusive.acquire(), this.#exclusive)
  }

  protected runQuery(
    config: string | { readonly text: string },
    values: readonly unknown[] | undefined,
  ): Promise<unknown> {
    const transaction = this.#scope.current()
    return runPgQuery(
      (run): Promise<CommandResult> => transaction?.runQuery(run) ?? settle(this.#shared, run, undefined),
      config,
      values,
    )
  }
}

/** A client with a session of its own, until it is released. */
export class SessionClient extends QueryingClient {
  readonly #session: Session
  readonly #sessions: ExclusiveSessions
  #released = false

  constructor(session: Session, sessions: ExclusiveSessions) {
    super()
    this.#session = session
    this.#sessions = sessions
  }

  /** Gives the session back; with an error, or inside a transaction, it is closed instead. */
  release(error?: Error | boolean): void {
    if (this.#released) return
    this.#released = true
    if (error) this.#sessions.discard(this.#session)
    else this.#sessions.release(this.#session)
  }

  protected runQuery(
    config: string | { readonly text: string },
    values: readonly unknown[] | undefined,
  ): Promise<unknown> {
    const session = this.#session
    const target: RunTarget = { submit: (run) => session.send(run), cancel: (run) => session.cancel(run, 'signal') }
    return runPgQuery((run) => settle(target, run, undefined), config, values)
  }
}
