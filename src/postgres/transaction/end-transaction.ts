import { PlimsollError, isPlimsollError } from '../../core/errors.ts'
import type { CommandResult, CommitItems, TransactionOutcome } from '../contract.ts'
import { executeOn, type RunTarget } from '../session/execute.ts'
import { StatementRun } from '../session/statement-run.ts'
import { isNotice, noticesSql } from './commit-notices.ts'
import type { OpenTransaction } from './transaction.ts'
import type { TransactionScope } from './transaction-scope.ts'

/** How a COMMIT went, with the error when it was not a commit. */
export interface Ending {
  readonly outcome: TransactionOutcome
  readonly error?: unknown
  /** True when what was sent along with the COMMIT has failed. */
  readonly refused?: boolean
}

/**
 * Sends the statements of `items` and then, without waiting for their answers, what `commit` sends: the run that it is given, which
 * has the notices as its tail, or another one without them. When a statement fails, PostgreSQL answers the COMMIT with ROLLBACK.
 */
export async function commitWith(
  target: RunTarget,
  items: CommitItems,
  {
    commit,
    transaction,
    scope,
  }: {
    readonly commit: (run: StatementRun) => Promise<CommandResult>
    readonly transaction: OpenTransaction
    readonly scope: TransactionScope
  },
): Promise<Ending> {
  const notices = items.filter(isNotice)
  const answers = Promise.allSettled(
    items.flatMap((item) => (isNotice(item) ? [] : executeOn(target, item.statement, item))),
  )
  const run = new StatementRun('commit', {})
  // What has failed already will not commit.
  if (notices.length > 0 && transaction.failure === undefined) run.tail = noticesSql(notices)
  const committing = commit(run)
  // In the same write, right behind it.
  const noted = scope.noteCommit?.(target)
  try {
    const { command } = await committing
    // PostgreSQL answers a commit of an aborted transaction with ROLLBACK, and no error.
    if (command === 'COMMIT') {
      const sent = run.settled && run.tail !== undefined && run.tailFailure === undefined
      if (sent) for (const notice of notices) notice.sent?.()
      return { outcome: 'commit' }
    }
    const refused = (await answers).find((answer) => answer.status === 'rejected')?.reason
    if (isOwnFailure(refused)) return { outcome: 'rollback', error: refused, refused: true }
    return { outcome: 'rollback', error: abortedError(transaction.failure) }
  } catch (error) {
    const unknown = isPlimsollError(error) && error.details.outcome === 'unknown'
    return { outcome: unknown ? 'unknown' : 'rollback', error }
  } finally {
    await noted
  }
}

// 25P02 says only that something before it had failed.
function isOwnFailure(error: unknown): boolean {
  return error !== undefined && !(isPlimsollError(error) && error.details.sqlState === '25P02')
}

/**
 * The hooks run one after another, outside of the transaction and before its caller learns of the end. What they throw cannot
 * undo that: it becomes a process warning.
 */
export async function runEndHooks(
  scope: TransactionScope,
  transaction: OpenTransaction,
  outcome: TransactionOutcome,
): Promise<void> {
  for (const hook of transaction.endHooks) await runHook(() => scope.exit(() => hook(outcome)), 'afterEnd')
  if (outcome !== 'commit') return
  for (const hook of transaction.takeHooks()) await runHook(() => scope.exit(hook), 'afterCommit')
}

async function runHook(hook: () => void | Promise<void>, name: string): Promise<void> {
  try {
    await hook()
  } catch (error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const what = name === 'afterCommit' ? 'the transaction is committed' : 'the transaction has ended all the same'
    process.emitWarning(`An ${name} hook failed; ${what}. ${text}`, 'PlimsollWarning')
  }
}

function abortedError(cause: unknown): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_STATEMENT_FAILED',
    'The transaction was rolled back: a statement in it had failed, and its error was caught inside. Let the error out, or run what may fail in a transaction of its own inside this one.',
    { cause },
  )
}
