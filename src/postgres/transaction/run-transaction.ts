import { setTimeout as sleep } from 'node:timers/promises'
import { PlimsollError, isPlimsollError } from '../../core/errors.ts'
import { parseDuration } from '../../core/duration.ts'
import { events } from '../../core/events.ts'
import { backoffMs } from '../../core/backoff.ts'
import type { CommandResult, IsolationLevel, Transaction, TransactionOptions, TransactionOutcome } from '../contract.ts'
import type { ExclusiveSessions } from '../pool/exclusive-sessions.ts'
import { runText, settle } from '../session/execute.ts'
import type { Session } from '../session/session.ts'
import type { StatementRun } from '../session/statement-run.ts'
import { commitWith, runEndHooks } from './end-transaction.ts'
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
  const { signal, readOnly, statementTimeout } = options
  const timeoutMs = statementTimeout === undefined ? undefined : parseDuration(statementTimeout, 'statementTimeout')
  const attempts = 1 + checkRetries(options.retries ?? 0)
  for (let attempt = 1; ; attempt++) {
    const session = await house.sessions.acquire(signal)
    const transaction = new OpenTransaction(session, { scope: house.scope, signal, timeoutMs, readOnly })
    const attempted = await attemptOnce(house, transaction, { session, begin, attempt, work })
    // Before the hooks, which may need one.
    house.sessions.release(session)
    await runEndHooks(house.scope, transaction, attempted.outcome)
    if (attempted.outcome === 'commit') return attempted.result
    const { error } = attempted
    const lost = transaction.lost || isPlimsollError(error, 'PLIMSOLL_SERIALIZATION_FAILED')
    if (!lost || attempt >= attempts || signal?.aborted) throw error
    await sleep(backoffMs(attempt, retry))
  }
}

type Attempted<T> =
  | { readonly outcome: 'commit'; readonly result: T }
  | { readonly outcome: 'rollback' | 'unknown'; readonly error: unknown }

async function attemptOnce<T>(
  house: TransactionHouse,
  transaction: OpenTransaction,
  attempt: {
    readonly session: Session
    readonly begin: string
    readonly attempt: number
    readonly work: (transaction: Transaction) => Promise<T>
  },
): Promise<Attempted<T>> {
  const began = performance.now()
  const attempted = await workAndCommit(house, transaction, attempt)
  if (events.hasSubscribers) {
    const outcome = attempted.outcome === 'commit' ? 'commit' : 'rollback'
    const durationMs = performance.now() - began
    events.publish({ type: 'transaction', outcome, attempt: attempt.attempt, durationMs })
  }
  return attempted
}

async function workAndCommit<T>(
  house: TransactionHouse,
  transaction: OpenTransaction,
  {
    session,
    begin,
    work,
  }: {
    readonly session: Session
    readonly begin: string
    readonly work: (transaction: Transaction) => Promise<T>
  },
): Promise<Attempted<T>> {
  const target = sessionTarget(session)
  // Not awaited: they leave in the same write as the first statement.
  const { timeoutMs } = transaction
  const limit = timeoutMs === undefined ? [] : [`set local statement_timeout = ${Math.ceil(timeoutMs)}`]
  const begun = Promise.all([begin, ...limit].map((text) => runText(target, text)))
  begun.catch(ignore)
  let outcome: TransactionOutcome = 'rollback'
  try {
    const result = await house.scope.run(transaction, () => work(transaction))
    const departing = transaction.departing()
    const items = departing === undefined ? [] : await departing
    transaction.end()
    await begun
    const commit = (run: StatementRun): Promise<CommandResult> => settle(target, run, undefined)
    const ending = await commitWith(target, items, { commit, transaction, scope: house.scope })
    outcome = ending.outcome
    if (outcome === 'commit') return { outcome, result }
    throw ending.error
  } catch (error) {
    transaction.end()
    if (!session.closed && outcome === 'rollback') await runText(target, 'rollback').catch(ignore)
    return { outcome: outcome === 'unknown' ? 'unknown' : 'rollback', error }
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

function ignore(): void {}
