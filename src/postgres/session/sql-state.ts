import { PlimsollError } from '../../core/errors.ts'
import type { ErrorCode } from '../../core/error-codes.ts'

/** The fields of an ErrorResponse, as `pg-protocol` parses them, or of a socket's error. */
export interface ServerError extends Error {
  readonly code?: string | undefined
  readonly severity?: string | undefined
  readonly detail?: string | undefined
  readonly table?: string | undefined
  readonly column?: string | undefined
  readonly constraint?: string | undefined
}

/** True for an error that the server sent. */
export function isServerError(error: Error): error is ServerError {
  return typeof (error as ServerError).severity === 'string' && typeof (error as ServerError).code === 'string'
}

const constraintKinds: Readonly<Record<string, string>> = {
  '23502': 'not null',
  '23503': 'foreign key',
  '23505': 'unique',
  '23514': 'check',
  '23P01': 'exclusion',
}

// A value that its type cannot hold. The rest of class 22, such as a division by zero, is about the statement.
const unfitValue = new Set(
  '22001 22003 22007 22008 22009 22015 22018 22019 22021 2201B 22023 22025 22026 22P02 22P03 22P05 2200N 22032'.split(
    ' ',
  ),
)

// 57P05 (idle session time-out) is here too: like the others it ends the session, not the statement.
const lostSession = new Set(['57P01', '57P02', '57P03', '57P05', '53300'])

/** The code of the error that a SQLSTATE becomes. */
function codeOfSqlState(sqlState: string | undefined): ErrorCode {
  if (sqlState === undefined || sqlState.length !== 5) return 'PLIMSOLL_DATABASE_UNREACHABLE'
  if (sqlState.startsWith('23')) return 'PLIMSOLL_CONSTRAINT_VIOLATED'
  if (sqlState === '40001' || sqlState === '40P01') return 'PLIMSOLL_SERIALIZATION_FAILED'
  if (sqlState === '57014') return 'PLIMSOLL_STATEMENT_TIMEOUT'
  if (sqlState === '55P03') return 'PLIMSOLL_LOCK_UNAVAILABLE'
  // 08P01, a breach of the protocol, is about the statement; what ends the session has another severity.
  if ((sqlState.startsWith('08') && sqlState !== '08P01') || lostSession.has(sqlState))
    return 'PLIMSOLL_DATABASE_UNREACHABLE'
  if (unfitValue.has(sqlState)) return 'PLIMSOLL_VALUE_INVALID'
  return 'PLIMSOLL_STATEMENT_FAILED'
}

/** Where an error came from, for its message and details. Never the values of parameters. */
export interface FailedStatement {
  readonly text: string
  /** True when the caller's AbortSignal asked for the cancellation. */
  readonly cancelled?: boolean
}

/** Turns an ErrorResponse to a statement into a {@link PlimsollError} with the cause kept. */
export function toStatementError(cause: ServerError, statement: FailedStatement): PlimsollError {
  const sqlState = cause.code
  const code = sqlState === '57014' && statement.cancelled ? 'PLIMSOLL_STATEMENT_CANCELLED' : codeOfSqlState(sqlState)
  const kind = sqlState === undefined ? undefined : constraintKinds[sqlState]
  const details: Record<string, unknown> = { sqlState, statement: statement.text }
  if (kind !== undefined) details.kind = kind
  for (const field of ['constraint', 'table', 'column'] as const) {
    if (cause[field] !== undefined) details[field] = cause[field]
  }
  return new PlimsollError(code, sentence(code, cause, kind), { cause, details })
}

// The server's DETAIL is left to the cause: it quotes the values of the row.
function sentence(code: ErrorCode, cause: ServerError, kind: string | undefined): string {
  switch (code) {
    case 'PLIMSOLL_CONSTRAINT_VIOLATED':
      return `The ${kind ?? ''} constraint ${cause.constraint ?? cause.column ?? ''}${cause.table ? ` of ${cause.table}` : ''} refused the write.`.replace(
        / +/g,
        ' ',
      )
    case 'PLIMSOLL_STATEMENT_TIMEOUT':
      return `PostgreSQL stopped the statement: ${cause.message}.`
    case 'PLIMSOLL_STATEMENT_CANCELLED':
      return 'The statement was cancelled by its AbortSignal.'
    case 'PLIMSOLL_LOCK_UNAVAILABLE':
      return `Another transaction holds the lock: ${cause.message}.`
    case 'PLIMSOLL_DATABASE_UNREACHABLE':
      return `PostgreSQL ended the session: ${cause.message}.`
    default:
      return `PostgreSQL refused the statement (${cause.code ?? 'no SQLSTATE'}): ${cause.message}.`
  }
}
