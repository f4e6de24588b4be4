import { inspect } from 'node:util'
import { errorCodes, type ErrorCode } from '../../core/error-codes.ts'
import { PlimsollError } from '../../core/errors.ts'

/** An error on its way from one process to another; of what is no error, the text. */
export interface WireError {
  /** False for what is no Error. */
  readonly error: boolean
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  /** Its own members, such as `code`, `retryable` and `retryAfter`, as far as they are plain. */
  readonly members: Readonly<Record<string, unknown>>
}

/** Spells an error so that it can be sent; of anything that was thrown. */
export function toWireError(thrown: unknown): WireError {
  if (!(thrown instanceof Error)) {
    const message = typeof thrown === 'string' ? thrown : inspect(thrown)
    return { error: false, name: 'NonError', message, stack: undefined, members: membersOf(thrown) }
  }
  try {
    // Nothing keeps an error from having other members than it should.
    const { name, message, stack: at } = thrown as { [Member in 'name' | 'message' | 'stack']?: unknown }
    const stack = typeof at === 'string' ? at : undefined
    return { error: true, name: String(name), message: String(message), stack, members: membersOf(thrown) }
  } catch {
    return { error: true, name: 'Error', message: 'An error that cannot be read.', stack: undefined, members: {} }
  }
}

/** The error again; a {@link PlimsollError} is one here too. What was no error is its text, or its members. */
export function fromWireError({ error: isError, name, message, stack, members }: WireError): unknown {
  if (!isError) return Object.keys(members).length > 0 ? members : message
  const { code, details } = members
  const known = name === 'PlimsollError' && typeof code === 'string' && Object.hasOwn(errorCodes, code)
  const error = known
    ? new PlimsollError(code as ErrorCode, message, { details: (details ?? {}) as Record<string, unknown> })
    : new Error(message)
  for (const [key, value] of Object.entries(members)) {
    if (!known || !(key in error)) Object.defineProperty(error, key, { value, enumerable: true, configurable: true })
  }
  if (!known) Object.defineProperty(error, 'name', { value: name, configurable: true })
  Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true })
  return error
}

/** These count wherever they are defined; others only as members of the error's own. */
const read = ['code', 'retryable', 'retryAfter']
/** A larger member, in characters of JSON, is left out. */
const mostMember = 10_000

function membersOf(thrown: unknown): Record<string, unknown> {
  if (typeof thrown !== 'object' || thrown === null) return {}
  const members: Record<string, unknown> = {}
  for (const key of new Set([...read, ...Object.keys(thrown)])) {
    if (key === 'name' || key === 'message' || key === 'stack') continue
    const value = plain((thrown as Record<string, unknown>)[key])
    if (value !== undefined) members[key] = value
  }
  return members
}

/** What can be sent of a value. */
function plain(value: unknown): unknown {
  if (typeof value === 'function' || typeof value === 'symbol') return undefined
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  try {
    const text = JSON.stringify(value)
    return text.length > mostMember ? undefined : (JSON.parse(text) as unknown)
  } catch {
    return undefined
  }
}
