import type { CommandResult } from '../contract.ts'
import type { ExclusiveSessions } from '../pool/exclusive-sessions.ts'
import { settle, type RunTarget } from '../session/execute.ts'
import type { Session } from '../session/session.ts'
import type { StatementRun } from '../session/statement-run.ts'
import { isNotice } from '../transaction/commit-notices.ts'
import { commitWith, runEndHooks } from '../transaction/end-transaction.ts'
import { OpenTransaction } from '../transaction/transaction.ts'
import type { TransactionScope } from '../transaction/transaction-scope.ts'
import { noRows, QueryingClient, runPgQuery } from './drizzle-client.ts'

const begins = /^\s*(?:begin|start\s+transaction)\b/i
const justCommits = /^\s*(?:commit|end)(?:\s+(?:work|transaction))?\s*;?\s*$/i
const commits = /^\s*(?:commit|end)\b(?!\s+prepared\b)/i
const rollsBack = /^\s*(?:rollback|abort)\b(?!\s+(?:prepared\b|(?:(?:work|transaction)\s+)?to\b))/i

/**
 * A client with a session of its own, until it is released. While somebody watches writes, the transactions that are begun and
 * ended by hand on it (as Drizzle does) are told apart by their texts, so that what they write is reported like that of any
 * other.
 */
export class SessionClient extends QueryingClient {
  readonly #session: Session
  readonly #sessions: ExclusiveSessions
  readonly #scope: TransactionScope
  readonly #target: RunTarget
  #transaction: OpenTransaction | undefined
  #released = false

  constructor(session: Session, house: { readonly sessions: ExclusiveSessions; readonly scope: TransactionScope }) {
    super()
    this.#session = session
    this.#sessions = house.sessions
    this.#scope = house.scope
    this.#target = { submit: (run) => session.send(run), cancel: (run) => session.cancel(run, 'signal') }
  }

  /** Gives the session back; with an error, or inside a transaction, it is closed instead. */
  release(error?: Error | boolean): void {
    if (this.#released) return
    this.#released = true
    if (error) this.#sessions.discard(this.#session)
    else this.#sessions.release(this.#session)
    void this.#ended('rollback')
  }

  protected runQuery(
    config: string | { readonly text: string },
    values: readonly unknown[] | undefined,
  ): Promise<unknown> {
    const run = (): Promise<unknown> =>
      runPgQuery(
        (query) => this.#transaction?.runQuery(query) ?? settle(this.#target, query, undefined),
        config,
        values,
      )
    const { writes } = this.#scope
    if (writes.watcher === undefined && this.#transaction === undefined) return run()
    const text = typeof config === 'string' ? config : config.text
    const transaction = this.#transaction
    if (transaction === undefined) {
      if (begins.test(text)) return this.#begin(text, run)
      const tags = writes.tagsOfText(text)
      return tags === undefined ? run() : writes.write(run, { text, tags, alone: true })
    }
    if (commits.test(text)) return this.#commit(transaction, { config, values })
    return rollsBack.test(text) ? this.#rollBack(run) : run()
  }

  async #begin(text: string, run: () => Promise<unknown>): Promise<unknown> {
    const readOnly = /\bread\s+only\b/i.test(text)
    this.#transaction = new OpenTransaction(this.#session, { scope: this.#scope, readOnly })
    try {
      return await run()
    } catch (error) {
      await this.#ended('rollback')
      throw error
    }
  }

  async #rollBack(run: () => Promise<unknown>): Promise<unknown> {
    try {
      return await run()
    } finally {
      await this.#ended('rollback')
    }
  }

  async #commit(
    transaction: OpenTransaction,
    { config, values }: { config: string | { readonly text: string }; values: readonly unknown[] | undefined },
  ): Promise<unknown> {
    // When a hook throws, the COMMIT is not sent, and who sent it sends a ROLLBACK.
    const departing = transaction.departing()
    const items = departing === undefined ? [] : await departing
    transaction.end()
    let result: unknown
    const noticing = items.some(isNotice) && justCommits.test(typeof config === 'string' ? config : config.text)
    const commit = async (own: StatementRun): Promise<CommandResult> => {
      if (noticing) {
        const done = await settle(this.#target, own, undefined)
        result = { ...noRows, command: done.command }
        return done
      }
      let command: CommandResult = { command: '', rowCount: 0 }
      result = await runPgQuery(
        async (query) => (command = await settle(this.#target, query, undefined)),
        config,
        values,
      )
      return command
    }
    const { outcome, error, refused } = await commitWith(this.#target, items, {
      commit,
      transaction,
      scope: this.#scope,
    })
    await this.#ended(outcome)
    // As `pg` does, the ROLLBACK that answers the COMMIT of an aborted transaction is a result, and not an error; unless what
    // was sent along has aborted it, of which nobody else would tell.
    if (error !== undefined && (result === undefined || refused)) throw error
    return result
  }

  /** Tells whoever noted something on the transaction how it has ended. */
  async #ended(outcome: 'commit' | 'rollback' | 'unknown'): Promise<void> {
    const transaction = this.#transaction
    if (transaction === undefined) return
    this.#transaction = undefined
    transaction.end()
    await runEndHooks(this.#scope, transaction, outcome)
  }
}
