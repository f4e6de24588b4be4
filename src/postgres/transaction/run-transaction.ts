import { setTimeout as sleep } from 'node:timers/promises'
import { PlimsollError, isPlimsollError } from '../../core/errors.ts'
import { parseDuration } from '../../core/duration.ts'
import { events } from '../../core/events.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { IsolationLevel, Transaction, TransactionOptions } from '../contract.ts'
import type { ExclusiveSessions } from '../pool/exclusive-sessions.ts'
import { runText } from '../session/execute.ts'
import type { Session } from '../session/session.ts'
import { OpenTransaction } from './transaction.ts'
import type { TransactionScope } from './transaction-scope.ts'

const isolationLevels: readonly IsolationLevel[] = ['read committed', 'repeatable read', 'serializable']
const retry = { firstMs: 10, mostMs: 1000 }

/** What a transaction runs on. */
export interface TransactionHouse {
  readonly sessions: ExclusiveSessions
  readonly scope: TransactionScope
}

/** Runs `work` in a transaction of its own; see `Postgres.transaction` in the contract. */
export async function runTransaction<T>(
  house: TransactionHouse,
  work: (transaction: Transaction) => Promise<T>,
  options: TransactionOptions = {},
): Promise<T> {
  const begin = beginText(options)
  const { statementTimeout } = options
  const timeoutMs = statementTimeout === undefined ? undefined : parseDuration(statementTimeout, 'statementTimeout')
  const attempts = 1 + checkRetries(options.retries ?? 0)
  for (let attempt = 1; ; attempt++) {
    const session = await house.sessions.acquire(options.signal)
    const transaction = new OpenTransaction(session, { scope: house.scope, signal: options.signal, timeoutMs })
    let result: T
    try {
      result = await attemptOnce(house, transaction, { session, begin, attempt, work })
    } catch (error) {
      const lost = transaction.lost || isPlimsollError(error, 'PLIMSOLL_SERIALIZATION_FAILED')
      if (!lost || attempt >= attempts || options.signal?.aborted) throw error
      await sleep(backoffMs(attempt, retry))
      continue
    } finally {
      house.sessions.release(session)
    }
    await runHooks(house.scope, transaction)
    return result
  }
}

async function attemptOnce<T>(
  house: TransactionHouse,
  transaction: OpenTransaction,
  attempt: {
    readonly session: Session
    readonly begin: string
    readonly attempt: number
    readonly work: (transaction: Transaction) => Promise<T>
  },
): Promise<T> {
  const began = performance.now()
  const target = sessionTarget(attempt.session)
  // Not awaited: they leave in the same write as the first statement.
  const { timeoutMs } = transaction
  const limit = timeoutMs === undefined ? [] : [`set local statement_timeout = ${Math.ceil(timeoutMs)}`]
  const begun = Promise.all([attempt.begin, ...limit].map((text) => runText(target, text)))
  begun.catch(ignore)
  let outcome: 'commit' | 'rollback' = 'rollback'
  try {
    const result = await house.scope.run(transaction, () => attempt.work(transaction))
    transaction.end()
    await begun
    const { command } = await runText(target, 'commit')
    // PostgreSQL answers a commit of an aborted transaction with ROLLBACK, and no error.
    if (command !== 'COMMIT') throw abortedError(transaction.failure)
    outcome = 'commit'
    return result
  } catch (error) {
    transaction.end()
    if (!attempt.session.closed && outcome === 'rollback') await runText(target, 'rollback').catch(ignore)
    throw error
  } finally {
    if (events.hasSubscribers) {
      const durationMs = performance.now() - began
      events.publish({ type: 'transaction', outcome, attempt: attempt.attempt, durationMs })
    }
  }
}

/**
 * The hooks run one after another before the caller learns of the commit. What they throw cannot undo it: it becomes a
 * process warning, and the transaction stays resolved.
 */
async function runHooks(scope: TransactionScope, transaction: OpenTransaction): Promise<void> {
  for (const hook of transaction.takeHooks()) {
    try {
      await scope.exit(hook)
    } catch (error) {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      process.emitWarning(`An afterCommit hook failed; the transaction is committed. ${text}`, 'PlimsollWarning')
    }
  }
}

function beginText(options: TransactionOptions): string {
  const { isolation, readOnly } = options
  if (isolation !== undefined && !isolationLevels.includes(isolation)) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `isolation is '${isolation}'; give one of ${isolationLevels.map((level) => `'${level}'`).join(', ')}.`,
    )
  }
  const mode = readOnly === undefined ? '' : readOnly ? ' read only' : ' read write'
  const wait = options.deferrable ? ' deferrable' : ''
  return `begin${isolation === undefined ? '' : ` isolation level ${isolation}`}${mode}${wait}`
}

function checkRetries(retries: number): number {
  if (Number.isInteger(retries) && retries >= 0 && retries <= 1000) return retries
  throw new PlimsollError('PLIMSOLL_OPTION_INVALID', `retries is ${retries}; give a whole number from 0 to 1000.`)
}

function sessionTarget(session: Session): Parameters<typeof runText>[0] {
  return { submit: (run) => session.send(run), cancel: (run) => session.cancel(run, 'signal') }
}

function abortedError(cause: unknown): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_STATEMENT_FAILED',
    'The transaction was rolled back: a statement in it had failed, and its error was caught inside. Let the error out, or run what may fail in a transaction of its own inside this one.',
    { cause },
  )
}

function ignore(): void {}
