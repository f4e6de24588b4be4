import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { ErrorCode } from '../core/error-codes.ts'
import { isPlimsollError, type PlimsollError } from '../core/errors.ts'

/** A problem document (RFC 9457). */
export interface Problem {
  /** The same for every problem of one kind: `urn:plimsoll:problem:field-unknown`, or `about:blank` when the status says all. */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  /** The code of the error; see docs/errors.md. */
  readonly code?: string
  /** What the refused name could have been. */
  readonly allowed?: readonly string[]
  /** The parameter to correct. */
  readonly parameter?: string
  /** Others of the error's details: `field`, `operator`, `limit` … */
  readonly [member: string]: unknown
}

/** Details that tell a client what to correct; others may say how the service is built. */
const publicDetails = [
  'parameter',
  'field',
  'relation',
  'operator',
  'order',
  'allowed',
  'limit',
  'minimum',
  'maximum',
] as const

/** What to say of errors that are the service's own: nothing about how it is made. */
const ownDetails: Readonly<Record<number, string>> = {
  500: 'Something went wrong in the service. It has been noted; trying again may not help.',
  502: 'The service did not get what it needs for the answer. Try again later.',
  503: 'The service cannot answer at the moment. Try again later.',
  507: 'The service has no room for this at the moment.',
  504: 'The answer took too long to find. Ask for less, or try again later.',
}

/** What to say instead of what the status of a code says. */
const codeDetails: Readonly<Partial<Record<ErrorCode, string>>> = {
  PLIMSOLL_DATABASE_UNREACHABLE: 'The service cannot reach its database at the moment. Try again later.',
  PLIMSOLL_DATABASE_CLOSED: 'The service is closing. Try again: another instance may answer.',
  PLIMSOLL_DATABASE_BUSY: 'The service has too much to do at the moment. Try again later.',
}

const retryAfterSeconds = 5

/** The problem document of an error. Of errors that the service is to blame for it says the status and the code only. */
export function toProblem(error: unknown): Problem {
  if (isPlimsollError(error)) return fromPlimsoll(error)
  // Anything can be thrown, null too.
  const { statusCode, message } = (error ?? {}) as Partial<FastifyError>
  const status = typeof statusCode === 'number' && statusCode >= 400 && statusCode < 600 ? statusCode : 500
  return problemOf(status, status < 500 ? message : undefined)
}

/** A problem that its status describes. */
export function problemOf(status: number, detail: string | undefined = ownDetails[status]): Problem {
  return { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, ...(detail ? { detail } : {}) }
}

/** The headers of a problem document, beside those of its length; 503 with Retry-After. */
export function problemHeaders({ status }: Problem): Readonly<Record<string, string>> {
  return {
    'content-type': 'application/problem+json; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 503 ? { 'retry-after': String(retryAfterSeconds) } : {}),
  }
}

/** Sends a problem document with its status and headers. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  return reply
    .code(problem.status)
    .headers(problemHeaders(problem))
    .send(Buffer.from(JSON.stringify(problem)))
}

/** A Fastify error handler that answers with problem documents, and logs the errors that are the service's own. */
export function problemHandler(
  onError?: (error: unknown, request: FastifyRequest) => void,
): (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  return (error, request, reply) => {
    const problem = toProblem(error)
    if (problem.status >= 500) {
      request.log.error({ err: error }, problem.title)
      onError?.(error, request)
    }
    return sendProblem(reply, problem)
  }
}

function fromPlimsoll(error: PlimsollError): Problem {
  const { code, status, title, details } = error
  // Constraint errors quote the database, down to the values of the row that was there before.
  const ours = status >= 500 || code === 'PLIMSOLL_CONSTRAINT_VIOLATED'
  const problem: Record<string, unknown> = {
    type: `urn:plimsoll:problem:${code.slice('PLIMSOLL_'.length).toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    detail: ours ? (codeDetails[code] ?? ownDetails[status]) : error.message,
    code,
  }
  if (!ours) for (const name of publicDetails) if (details[name] !== undefined) problem[name] = details[name]
  return problem as unknown as Problem
}
