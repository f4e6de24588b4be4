import type { BatchItem, ExecuteOptions } from '../contract.ts'
import { checkTimeout } from '../session/execute.ts'
import { StatementRun } from '../session/statement-run.ts'
import { RawRows } from '../raw-rows.ts'

/** One call of an executor, on its way to a replica. */
export interface ReplicaCall {
  readonly items: readonly BatchItem[]
  /** True when all of them have to see one snapshot. */
  readonly together: boolean
  readonly options: ExecuteOptions | undefined
}

/** What a call sends, and what comes back. */
export interface ReadRuns {
  /** Everything, in order. */
  readonly all: readonly StatementRun[]
  /** One for each item. */
  readonly statements: readonly StatementRun[]
  /** The rows of each item. */
  readonly rows: readonly RawRows[]
}

/**
 * The runs of a call. A time-out of its own is told to the server in a transaction, which also keeps it from staying behind.
 *
 * @throws PLIMSOLL_OPTION_INVALID for a time-out that is none.
 */
export function readRuns({ items, together, options }: ReplicaCall): ReadRuns {
  const timeoutMs = options?.timeoutMs === undefined ? undefined : checkTimeout(options.timeoutMs)
  const rows = items.map(() => new RawRows())
  const statements = items.map(({ statement: { text, name, readOnly }, values }, i) => {
    const run = new StatementRun(text, { name, values, sink: rows[i]!.sink, readOnly })
    run.timeoutMs = timeoutMs
    return run
  })
  if (!together && timeoutMs === undefined) return { all: statements, statements, rows }
  const begin = together ? 'begin isolation level repeatable read read only' : 'begin read only'
  const limit = timeoutMs === undefined ? [] : [`set local statement_timeout = ${timeoutMs}`]
  const before = [begin, ...limit].map((text) => new StatementRun(text, {}))
  return { all: [...before, ...statements, new StatementRun('commit', {})], statements, rows }
}
