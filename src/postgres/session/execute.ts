import { PlimsollError } from '../../core/errors.ts'
import type { WireValue } from '../../core/wire.ts'
import type { BatchItem, CommandResult, ExecuteOptions, RowSink, Statement } from '../contract.ts'
import { cancelledError } from './statement-errors.ts'
import { StatementRun } from './statement-run.ts'

/** Where runs go: the shared sessions, or the one session of a transaction. */
export interface RunTarget {
  submit(run: StatementRun): void
  cancel(run: StatementRun): void
}

/** Runs one statement on `target`; `parts` are its values and where its rows go. */
export function executeOn(
  target: RunTarget,
  statement: Statement,
  parts: {
    readonly values: readonly WireValue[]
    readonly sink?: RowSink | undefined
    readonly signal?: AbortSignal | undefined
    /** The time-out that the server was told for this statement. */
    readonly timeoutMs?: number | undefined
  },
): Promise<CommandResult> {
  const { values, sink } = parts
  const { name, readOnly } = statement
  const run = new StatementRun(statement.text, { name, values, sink, readOnly })
  run.timeoutMs = parts.timeoutMs
  return settle(target, run, parts.signal)
}

/** Runs SQL text as a simple Query, without rows. */
export function runText(target: RunTarget, text: string, signal?: AbortSignal): Promise<CommandResult> {
  return settle(target, new StatementRun(text, {}), signal)
}

/** Submits a run and promises its result. */
export function settle(target: RunTarget, run: StatementRun, signal: AbortSignal | undefined): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    run.resolve = resolve
    run.reject = reject
    if (signal !== undefined) {
      if (signal.aborted) return run.fail(cancelledError())
      abortWith(target, [run], signal)
    }
    target.submit(run)
  })
}

/** Sends the items as one repeatable-read transaction, all in one write; see the contract's `batch`. */
export async function batchOn(target: RunTarget, items: readonly BatchItem[], options?: ExecuteOptions): Promise<void> {
  if (items.length === 0) return
  const runs = [
    new StatementRun('begin isolation level repeatable read read only', {}),
    ...items.map(
      ({ statement, values, sink }) => new StatementRun(statement.text, { name: statement.name, values, sink }),
    ),
    new StatementRun('commit', {}),
  ]
  await groupOn(target, runs, options?.signal)
}

/**
 * Sends runs right behind each other on one session, all in one write, and waits for the answers of all. None of them is moved or
 * repeated elsewhere.
 *
 * @throws what the first that has failed says: those behind it may only say that the transaction is aborted.
 */
export async function groupOn(
  target: RunTarget,
  runs: readonly StatementRun[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const results = runs.map((run) => {
    run.grouped = true
    return new Promise<CommandResult>((resolve, reject) => {
      run.resolve = resolve
      run.reject = reject
    })
  })
  const [first, ...followers] = runs as [StatementRun, ...StatementRun[]]
  first.followers = followers
  if (signal?.aborted) throw cancelledError()
  if (signal !== undefined) abortWith(target, runs, signal)
  // Before submitting: a run that fails at once must find its promise watched.
  const settled = Promise.allSettled(results)
  target.submit(first)
  for (const outcome of await settled) if (outcome.status === 'rejected') throw outcome.reason
}

function abortWith(target: RunTarget, runs: readonly StatementRun[], signal: AbortSignal): void {
  let open = runs.length
  const abort = (): void => {
    const run = runs.find((candidate) => !candidate.settled)
    if (run !== undefined) target.cancel(run)
  }
  signal.addEventListener('abort', abort, { once: true })
  for (const run of runs) {
    run.cancellable = true
    run.onSettled = () => {
      if (--open === 0) signal.removeEventListener('abort', abort)
    }
  }
}

/** Checks a time-out given for one statement. @throws PLIMSOLL_OPTION_INVALID */
export function checkTimeout(timeoutMs: number): number {
  if (Number.isFinite(timeoutMs) && timeoutMs >= 0 && timeoutMs <= 2_147_483_647) return Math.ceil(timeoutMs)
  throw new PlimsollError('PLIMSOLL_OPTION_INVALID', `timeoutMs is ${timeoutMs}; give milliseconds, 0 for no limit.`)
}
