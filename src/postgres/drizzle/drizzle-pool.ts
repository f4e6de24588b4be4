import type { CommandResult } from '../contract.ts'
import { QueryingClient, TransactionClient, runPgQuery } from './drizzle-client.ts'
import { SessionClient } from './session-client.ts'
import type { ExclusiveSessions } from '../pool/exclusive-sessions.ts'
import { settle, type RunTarget } from '../session/execute.ts'
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
    return new SessionClient(await this.#exclusive.acquire(), { sessions: this.#exclusive, scope: this.#scope })
  }

  protected runQuery(
    config: string | { readonly text: string },
    values: readonly unknown[] | undefined,
  ): Promise<unknown> {
    const { writes } = this.#scope
    if (writes.watcher === undefined || this.#scope.current() !== undefined) return this.#run(config, values)
    const text = typeof config === 'string' ? config : config.text
    const tags = writes.tagsOfText(text)
    return tags === undefined
      ? this.#run(config, values)
      : writes.write(() => this.#run(config, values), { text, tags })
  }

  #run(config: string | { readonly text: string }, values: readonly unknown[] | undefined): Promise<unknown> {
    const transaction = this.#scope.current()
    return runPgQuery(
      (run): Promise<CommandResult> => transaction?.runQuery(run) ?? settle(this.#shared, run, undefined),
      config,
      values,
    )
  }
}
