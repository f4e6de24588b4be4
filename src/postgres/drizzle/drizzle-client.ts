import { EventEmitter } from 'node:events'
import pg from 'pg'
import { PlimsollError } from '../../core/errors.ts'
import type { CommandResult } from '../contract.ts'
import { StatementRun } from '../session/statement-run.ts'
import type { OpenTransaction } from '../transaction/transaction.ts'
import type { WireQuery } from '../wire/pg-internals.ts'

type Callback = (error: Error | undefined, result?: unknown) => void

interface QueryText {
  readonly text: string
}

const QueryClass = pg.Query as unknown as new (config: unknown, values?: readonly unknown[]) => WireQuery

/** Runs a query as `pg`'s `client.query` would: the same arguments, the same result. */
export async function runPgQuery(
  run: (run: StatementRun) => Promise<CommandResult>,
  config: string | QueryText,
  values?: readonly unknown[],
): Promise<unknown> {
  const query = new QueryClass(config, values)
  let result: unknown
  let failure: Error | undefined
  query.callback = (error, value) => {
    if (error) failure = error
    else result = value
  }
  await run(new StatementRun(query.text, { query }))
  if (failure !== undefined) throw failure
  return result
}

/** The `query` of a client, with the promise and the callback form. */
export abstract class QueryingClient extends EventEmitter {
  query(
    config: string | QueryText,
    values?: readonly unknown[] | Callback,
    callback?: Callback,
  ): Promise<unknown> | void {
    const listed = typeof values === 'function' ? undefined : values
    const done = typeof values === 'function' ? values : callback
    const result = this.runQuery(config, listed)
    if (done === undefined) return result
    result.then((value) => done(undefined, value), done)
  }

  protected abstract runQuery(config: string | QueryText, values: readonly unknown[] | undefined): Promise<unknown>
}

/** What `pg` answers to a statement without rows. */
export const noRows = Object.freeze({
  command: '',
  rowCount: null,
  oid: 0,
  rows: Object.freeze([]),
  fields: Object.freeze([]),
})

/**
 * What Drizzle gets inside one of our transactions. Its own `begin`, `commit` and `rollback` become a savepoint of the
 * transaction, its release, and the way back to it; on a dedicated client they are not sent, because the transaction as a
 * whole begins and ends with them.
 */
export class TransactionClient extends QueryingClient {
  readonly #transaction: OpenTransaction
  readonly #dedicated: boolean
  readonly #savepoints: string[] = []

  constructor(transaction: OpenTransaction, { dedicated = false } = {}) {
    super()
    this.#transaction = transaction
    this.#dedicated = dedicated
  }

  /** A client for one transaction of Drizzle's; there is nothing to give back. */
  release(): void {}

  protected async runQuery(config: string | QueryText, values: readonly unknown[] | undefined): Promise<unknown> {
    const run = (statement: StatementRun): Promise<CommandResult> => this.#transaction.runQuery(statement)
    const text = typeof config === 'string' ? config : config.text
    if (this.#dedicated && /^\s*(?:begin|commit|rollback)\s*$/i.test(text)) return noRows
    const control = this.#translate(text)
    return control === undefined ? runPgQuery(run, config, values) : runPgQuery(run, control)
  }

  #translate(text: string): string | undefined {
    const verb = /^\s*(begin|start transaction|commit|rollback)\b(?!\s+to\b)/i.exec(text)?.[1]?.toLowerCase()
    if (verb === undefined) return undefined
    if (verb === 'begin' || verb === 'start transaction') {
      if (!/^\s*(?:begin|start transaction)(?:\s+(?:work|transaction))?\s*;?\s*$/i.test(text)) {
        throw new PlimsollError(
          'PLIMSOLL_QUERY_INVALID',
          `'${text}' inside db.transaction is a savepoint, which has no isolation level or mode of its own; give them to db.transaction.`,
        )
      }
      const name = `plimsoll_drizzle_${++savepoints}`
      this.#savepoints.push(name)
      return `savepoint ${name}`
    }
    const name = this.#savepoints.pop()
    if (name === undefined) {
      throw new PlimsollError(
        'PLIMSOLL_QUERY_INVALID',
        `A ${verb} by hand inside db.transaction; it ends with its callback: return to commit, throw to roll back.`,
      )
    }
    return verb === 'commit' ? `release savepoint ${name}` : `rollback to savepoint ${name}`
  }
}

let savepoints = 0
