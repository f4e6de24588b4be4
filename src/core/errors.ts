import { errorCodes, type ErrorCode } from './error-codes.ts'

/** What a thrower adds to a code: the sentence with the offending value, machine-readable details, and the cause. */
export interface PlimsollErrorOptions {
  /** Extra members for machines, for example `{ field: 'titel', allowed: ['title'] }`. Must hold no secrets. */
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/**
 * The one error class of Plimsoll. `code` is stable and documented in `docs/errors.md`; `status` is the HTTP status the
 * error maps to; `fix` says what to do about it.
 *
 * @example
 * try { await db.posts.get(42) } catch (error) { if (isPlimsollError(error, 'PLIMSOLL_NOT_FOUND')) return null; throw error }
 */
export class PlimsollError extends Error {
  override readonly name = 'PlimsollError'
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, options: PlimsollErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
  }

  /** The HTTP status of the code. */
  get status(): number {
    return errorCodes[this.code].status
  }

  /** What to do about it. */
  get fix(): string {
    return errorCodes[this.code].fix
  }

  /** A short title that is the same for every error of this code. */
  get title(): string {
    return errorCodes[this.code].title
  }
}

/** True when `error` is a {@link PlimsollError}, and of the given code when one is given. */
export function isPlimsollError(error: unknown, code?: ErrorCode): error is PlimsollError {
  return error instanceof PlimsollError && (code === undefined || error.code === code)
}

/** Lists names for a message: `'id', 'title' and 3 more`. */
export function listNames(names: Iterable<string>, most = 20): string {
  const all = [...names]
  const shown = all.slice(0, most).map((name) => `'${name}'`)
  return all.length === 0
    ? 'none'
    : all.length <= most
      ? shown.join(', ')
      : `${shown.join(', ')} and ${all.length - most} more`
}

/** Quotes a value for a message, cut at 80 characters. Any value will do, those that JSON cannot hold too. */
export function showValue(value: unknown): string {
  const text = spell(value)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}

function spell(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'bigint') return `${value}n`
  try {
    return (
      JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner)) ??
      String(value)
    )
  } catch {
    // It holds itself, or has a getter or a toJSON that throws.
    return Object.prototype.toString.call(value)
  }
}
