import { parseDuration, type Duration } from '../../core/duration.ts'
import { isPlimsollError } from '../../core/errors.ts'
import { longestMs, type JobFailure, type Outcome } from '../contract.ts'
import type { JobDefinition } from '../define-job.ts'

const mostStack = 8000
const untold = 'a value that cannot be told'

/** What is kept of an error; of anything that was thrown. */
export function toFailure(error: unknown): JobFailure {
  if (!(error instanceof Error)) return { name: 'NonError', message: textOf(error) }
  try {
    // Nothing keeps an error from having other members than it should, or such as throw.
    const { name, message, stack, code } = error as { [Member in 'name' | 'message' | 'stack' | 'code']?: unknown }
    return {
      name: String(name),
      message: String(message).slice(0, mostStack),
      stack: typeof stack === 'string' ? stack.slice(0, mostStack) : undefined,
      code: typeof code === 'string' ? code : undefined,
    }
  } catch {
    return { name: 'Error', message: untold }
  }
}

/** What becomes of a job whose run has failed: another attempt, or none. */
export function afterFailure({ retry, keepFailedMs }: JobDefinition, attempt: number, error: unknown): Outcome {
  const failure = toFailure(error)
  const failed: Outcome = { state: 'failed', error: failure, keepMs: keepFailedMs }
  if (attempt >= retry.attempts) return failed
  const said = retry.when === undefined ? retryOf(error) : retry.when(error, attempt)
  if (said === false) return failed
  const afterMs = typeof said === 'object' ? parseDuration(said.after as Duration, 'retry.after') : undefined
  return { state: 'retry', delayMs: Math.min(afterMs ?? backoff(retry, attempt), longestMs), error: failure }
}

/** Doubling, of which a random half is taken off: what failed together should not come back together. */
function backoff({ firstMs, mostMs }: JobDefinition['retry'], attempt: number): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, 30))
  return full / 2 + (Math.random() * full) / 2
}

/** What an error says itself: `retryable`, and `retryAfter` in milliseconds, as a Date, or as the header of that name says it. */
function retryOf(error: unknown): boolean | { readonly after: number } {
  if (typeof error !== 'object' || error === null) return true
  const { retryable, retryAfter } = error as { retryable?: unknown; retryAfter?: unknown }
  if (retryable === false) return false
  // It will be no other input at the next attempt, and the output of the same code.
  if (isPlimsollError(error, 'PLIMSOLL_JOB_INPUT_INVALID') || isPlimsollError(error, 'PLIMSOLL_JOB_OUTPUT_INVALID'))
    return false
  const afterMs = millisecondsOf(retryAfter)
  return afterMs === undefined ? true : { after: afterMs }
}

function millisecondsOf(retryAfter: unknown): number | undefined {
  if (typeof retryAfter === 'number' && retryAfter >= 0 && Number.isFinite(retryAfter))
    return Math.min(retryAfter, longestMs)
  if (retryAfter instanceof Date) return Math.max(0, retryAfter.getTime() - Date.now())
  if (typeof retryAfter !== 'string') return undefined
  // Retry-After (RFC 9110, 10.2.3): seconds, or a date.
  if (/^\d+$/.test(retryAfter)) return Math.min(Number(retryAfter) * 1000, longestMs)
  const at = Date.parse(retryAfter)
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now())
}

function textOf(value: unknown): string {
  try {
    return (typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))).slice(0, mostStack)
  } catch {
    return untold
  }
}
