import { PlimsollError } from '../../core/errors.ts'
import type { StatementRun } from './statement-run.ts'

/** The error of a statement that was stopped before, or while, it ran; `lost` when its connection went with it. */
export function cancelledError(lost?: StatementRun): PlimsollError {
  const message = 'The statement was cancelled by its AbortSignal.'
  if (lost === undefined) return new PlimsollError('PLIMSOLL_STATEMENT_CANCELLED', message)
  return new PlimsollError('PLIMSOLL_STATEMENT_CANCELLED', message, {
    details: { statement: lost.text, outcome: lost.readOnly ? 'none' : 'unknown' },
  })
}

/** The error of a statement whose server has gone silent. */
export function silentError(run: StatementRun): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_STATEMENT_TIMEOUT',
    'The statement was not answered within its time-out, nor was the request to cancel it; the connection was cut.',
    { details: { statement: run.text, outcome: run.readOnly ? 'none' : 'unknown' } },
  )
}

/** The error of a statement whose connection was lost; `sent` tells whether it may have taken effect. */
export function lostError(cause: Error | undefined, run: StatementRun, sent: boolean): PlimsollError {
  const unknown = sent && !run.readOnly
  return new PlimsollError(
    'PLIMSOLL_DATABASE_UNREACHABLE',
    `The connection to PostgreSQL was lost${cause ? ` (${cause.message})` : ''}${
      unknown ? ' after the statement was sent: whether it took effect is unknown' : ''
    }.`,
    { cause, details: { statement: run.text, outcome: unknown ? 'unknown' : 'none' } },
  )
}

/** The error of a call to a door that has been closed. */
export function closedError(): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_DATABASE_CLOSED',
    'The database was closed by this process, and takes no more statements.',
  )
}
