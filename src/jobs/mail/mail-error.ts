import { PlimsollError } from '../../core/errors.ts'
import type { RefusedRecipient } from './mail-transport.ts'

/** What `toMailError` needs to know. */
export interface MailErrorParts {
  readonly subject: string
  /** Where it should have gone. */
  readonly server: string
  readonly attempt: number
}

/** Nobody can mend these but who runs the service: time does not. */
const misconfigured = new Set(['EAUTH', 'ENOAUTH', 'EOAUTH2', 'ECONFIG', 'ETLS', 'EREQUIRETLS', 'EPROXY'])
const misconfiguredMs = 5 * 60_000
const hourMs = 3_600_000
const rateMs = 60_000
const slowDown = /rate|throttl|too (?:many|fast)|limit|quota|greater than|4\.7\.28|4\.3\.2/i
const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: hourMs }

/** What a failed delivery means for its job: tried again, later, or not at all. */
export function toMailError(error: unknown, parts: MailErrorParts): Error {
  const { code, responseCode, command, response, message } = error as {
    readonly code?: string
    readonly responseCode?: number
    readonly command?: string
    readonly response?: string
    readonly message?: string
  }
  const said = response ?? message ?? String(error)
  if (code !== undefined && misconfigured.has(code)) {
    return deferred(said, { ...parts, cause: error, afterMs: misconfiguredMs })
  }
  // Before the mail itself was told of, it is this service that is refused.
  const early = command === undefined || /^(?:CONN|EHLO|HELO|STARTTLS|AUTH)/.test(command)
  if (responseCode === undefined) return deferred(said, { ...parts, cause: error, afterMs: undefined })
  if (responseCode < 500 || responseCode === 503 || early) {
    const afterMs = waitOf({ code: responseCode, response: said }, parts.attempt) ?? (early ? rateMs : undefined)
    return deferred(said, { ...parts, cause: error, afterMs })
  }
  return refusedForGood(said, { ...parts, cause: error })
}

/** The same for recipients that were refused. */
export function toRecipientError(refused: readonly RefusedRecipient[], parts: MailErrorParts): Error {
  const said = refused.map(({ address, response }) => `${address}: ${response}`).join('; ')
  if (refused.every(isForGood)) return refusedForGood(said, parts)
  const waits = refused.map((one) => waitOf(one, parts.attempt)).filter((ms) => ms !== undefined)
  return deferred(said, { ...parts, afterMs: waits.length > 0 ? Math.max(...waits) : undefined })
}

/** True when another attempt cannot help. */
export function isForGood({ code }: RefusedRecipient): boolean {
  return code >= 500
}

/**
 * How long a server wants to be left alone, in milliseconds: as long as it says, as those do that greylist; longer each time when it is
 * the rate that it minds; undefined when it is for the job to choose.
 */
export function waitOf(
  { code, response }: Pick<RefusedRecipient, 'code' | 'response'>,
  attempt: number,
): number | undefined {
  const clock = /\b(\d{1,2}):(\d{2}):(\d{2})\b/.exec(response)
  const spelled = /\b(?:in|after|for)\s+(\d{1,5})\s*(s|m|h)(?:ec|econds?|in|inutes?|ours?)?s?\b/i.exec(response)
  const saidMs = clock
    ? (Number(clock[1]) * 3600 + Number(clock[2]) * 60 + Number(clock[3])) * 1000
    : spelled
      ? Number(spelled[1]) * units[spelled[2]!.toLowerCase()]!
      : undefined
  // A little later than it says: its clock may be another.
  if (saidMs !== undefined) return Math.min(saidMs, hourMs) * (1 + Math.random() / 10)
  if (code !== 421 && !slowDown.test(response)) return undefined
  const full = Math.min(hourMs, rateMs * 2 ** Math.min(attempt - 1, 10))
  return full / 2 + (Math.random() * full) / 2
}

function refusedForGood(
  said: string,
  { subject, server, cause }: MailErrorParts & { readonly cause?: unknown },
): Error {
  const message = `The mail '${subject}' was refused by ${server}: ${said}`
  return Object.assign(new PlimsollError('PLIMSOLL_MAIL_REFUSED', message, { cause }), { retryable: false })
}

function deferred(
  said: string,
  {
    subject,
    server,
    cause,
    afterMs,
  }: MailErrorParts & { readonly cause?: unknown; readonly afterMs: number | undefined },
): Error {
  const message = `The mail '${subject}' was not taken by ${server}: ${said}`
  const error = new PlimsollError('PLIMSOLL_MAIL_DEFERRED', message, { cause })
  return afterMs === undefined ? error : Object.assign(error, { retryAfter: afterMs })
}
