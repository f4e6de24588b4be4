import { parseDuration, type Duration } from '../../core/duration.ts'
import { PlimsollError, listNames, showValue } from '../../core/errors.ts'
import { redactUrl } from '../../core/redact.ts'

/** How a mail server is reached. Times are milliseconds. */
export interface SmtpOptions {
  readonly host: string
  readonly port: number
  /** TLS from the first byte on; otherwise STARTTLS, if the server has it. */
  readonly secure: boolean
  readonly auth: { readonly user: string; readonly pass: string } | undefined
  readonly requireTLS: boolean
  readonly ignoreTLS: boolean
  readonly tls: { readonly rejectUnauthorized?: boolean; readonly servername?: string }
  /** What we call ourselves. */
  readonly name: string | undefined
  readonly maxConnections: number
  readonly maxMessages: number
  readonly rateLimit: number | undefined
  readonly rateDelta: number
  readonly connectionTimeout: number
  readonly greetingTimeout: number
  readonly socketTimeout: number
}

const allowed = [
  'name',
  'maxConnections',
  'maxMessages',
  'rateLimit',
  'rateDelta',
  'connectionTimeout',
  'greetingTimeout',
  'socketTimeout',
  'requireTLS',
  'ignoreTLS',
  'tls.rejectUnauthorized',
  'tls.servername',
]

/**
 * Reads `smtp://user:password@host:587?rateLimit=10`. A password goes over TLS only, except to this machine.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function parseMailUrl(text: string): SmtpOptions {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^smtps?:$/.test(url.protocol) || url.hostname === '')
    throw invalid(text, 'give smtp://…, smtps://…, memory:, or nothing, which keeps mails and shows them')
  const unknown = [...url.searchParams.keys()].filter((key) => !allowed.includes(key))
  if (unknown.length > 0) throw invalid(text, `${listNames(unknown)} is unknown; there are ${listNames(allowed)}`)
  const secure = url.protocol === 'smtps:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const user = decode(text, url.username)
  const read = reader(text, url.searchParams)
  const rejectUnauthorized = read.flag('tls.rejectUnauthorized')
  const servername = url.searchParams.get('tls.servername')
  const ignoreTLS = read.flag('ignoreTLS') ?? false
  return {
    host,
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    auth: user === '' ? undefined : { user, pass: decode(text, url.password) },
    requireTLS: read.flag('requireTLS') ?? (user !== '' && !secure && !ignoreTLS && !isLocal(host)),
    ignoreTLS,
    tls: {
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
      ...(servername === null ? {} : { servername }),
    },
    name: url.searchParams.get('name') ?? undefined,
    maxConnections: read.count('maxConnections') ?? 5,
    maxMessages: read.count('maxMessages') ?? 100,
    rateLimit: read.count('rateLimit'),
    rateDelta: read.time('rateDelta', 1000),
    connectionTimeout: read.time('connectionTimeout', 10_000),
    greetingTimeout: read.time('greetingTimeout', 10_000),
    socketTimeout: read.time('socketTimeout', 60_000),
  }
}

function reader(text: string, query: URLSearchParams) {
  return {
    flag(key: string): boolean | undefined {
      const value = query.get(key)
      if (value === null) return undefined
      if (value !== 'true' && value !== 'false') throw invalid(text, `${key} is true or false`)
      return value === 'true'
    },
    count(key: string): number | undefined {
      const value = query.get(key)
      if (value === null) return undefined
      if (!/^[1-9]\d{0,8}$/.test(value)) throw invalid(text, `${key} is a whole number from 1`)
      return Number(value)
    },
    time(key: string, otherwise: number): number {
      const value = query.get(key)
      if (value === null) return otherwise
      return parseDuration(/^\d+$/.test(value) ? Number(value) : (value as Duration), `MAIL_URL: ${key}`)
    },
  }
}

function decode(text: string, part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw invalid(text, 'write a % in its user or password as %25')
  }
}

function isLocal(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d+){3}$/.test(host)
}

function invalid(text: string, fix: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `MAIL_URL is ${showValue(redactUrl(text))}; ${fix}.`, {
    details: { option: 'mail.url' },
  })
}
