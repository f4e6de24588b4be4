import { parseDuration, type Duration } from '../core/duration.ts'
import { PlimsollError, showValue } from '../core/errors.ts'
import { redactUrl } from '../core/redact.ts'

/** What {@link openPostgres} takes. Every number can also ride in the query of the URL under the same name. */
export interface PostgresOptions {
  /** `postgres://…`, `pglite:PATH` or `pglite:memory`. `?pgbouncer=true` says that a transaction pooler is in between. */
  readonly url: string
  /** `postgres://…` of read replicas of the same database. They take these options too, and their own in the query of each URL. */
  readonly replicaUrls?: readonly string[] | undefined
  /** Pipelined connections for statements outside transactions. Default 3. */
  readonly sharedConnections?: number | undefined
  /** The most shared connections: more than `sharedConnections` are opened only while slow statements hold those. Default three times as many. */
  readonly maxSharedConnections?: number | undefined
  /** The most transactions (and cursors) open at a time. Default 10. */
  readonly maxTransactions?: number | undefined
  /** Statements sent and unanswered on one shared connection; more wait. Default 32. */
  readonly maxPipelineDepth?: number | undefined
  /** Statements that wait for room on the shared connections; more are refused with PLIMSOLL_DATABASE_BUSY. Default 100000. */
  readonly maxWaiting?: number | undefined
  /** How long a statement may run; 0 for no limit. Default 30s. */
  readonly statementTimeout?: Duration | undefined
  /** How long opening one connection may take. Default 10s. */
  readonly connectTimeout?: Duration | undefined
  /** How long to wait for a connection when all of `maxTransactions` are taken. Default 10s. */
  readonly transactionWait?: Duration | undefined
  /** How long the start waits for a server that cannot be reached. Default 30s. */
  readonly startupTimeout?: Duration | undefined
  /** Whether statements are prepared by name. Default 'auto': until a transaction pooler is found in between. */
  readonly prepare?: 'auto' | 'named' | 'unnamed' | undefined
  /** True says that a transaction pooler is in between. Default false: it is found out. */
  readonly pgbouncer?: boolean | undefined
  /** Statements kept prepared on one connection. Default 500. */
  readonly preparedStatements?: number | undefined
  /** The application_name that the server shows. Default 'plimsoll'. */
  readonly applicationName?: string | undefined
  /** Told, in one line, when the start waits for the server. */
  readonly onWaiting?: ((line: string) => void) | undefined
}

/** {@link PostgresOptions} with defaults filled in and checked; durations in milliseconds. */
export interface PostgresSettings {
  readonly url: string
  readonly shownUrl: string
  readonly sharedConnections: number
  readonly maxSharedConnections: number
  readonly maxTransactions: number
  readonly maxPipelineDepth: number
  readonly maxWaiting: number
  readonly statementTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly transactionWaitMs: number
  readonly startupTimeoutMs: number
  readonly prepare: 'auto' | 'named' | 'unnamed'
  readonly pgbouncer: boolean
  readonly preparedStatements: number
  readonly applicationName: string
  readonly onWaiting: (line: string) => void
}

const ownParameters = [
  'sharedConnections',
  'maxSharedConnections',
  'maxTransactions',
  'maxPipelineDepth',
  'maxWaiting',
  'statementTimeout',
  'connectTimeout',
  'transactionWait',
  'startupTimeout',
  'prepare',
  'pgbouncer',
  'preparedStatements',
  'applicationName',
] as const

/**
 * Reads the options and the URL's query; what the query says wins.
 *
 * @throws PLIMSOLL_OPTION_INVALID naming the option.
 */
export function parsePostgresOptions(options: PostgresOptions): PostgresSettings {
  const { url, given } = takeParameters(options.url)
  const read = { ...options, ...given } as Record<string, unknown>
  const sharedConnections = count(read, 'sharedConnections', 3)
  const prepare = (read.prepare ?? 'auto') as PostgresSettings['prepare']
  if (!['auto', 'named', 'unnamed'].includes(prepare)) throw invalid('prepare', prepare, `'auto', 'named' or 'unnamed'`)
  return Object.freeze({
    url,
    shownUrl: redactUrl(url),
    sharedConnections,
    maxSharedConnections: Math.max(sharedConnections, count(read, 'maxSharedConnections', sharedConnections * 3)),
    maxTransactions: count(read, 'maxTransactions', 10),
    maxPipelineDepth: count(read, 'maxPipelineDepth', 32),
    maxWaiting: count(read, 'maxWaiting', 100_000),
    statementTimeoutMs: duration(read, 'statementTimeout', '30s'),
    connectTimeoutMs: duration(read, 'connectTimeout', '10s'),
    transactionWaitMs: duration(read, 'transactionWait', '10s'),
    startupTimeoutMs: duration(read, 'startupTimeout', '30s'),
    prepare,
    pgbouncer: read.pgbouncer === true || read.pgbouncer === 'true',
    preparedStatements: count(read, 'preparedStatements', 500),
    applicationName: String(read.applicationName ?? 'plimsoll'),
    onWaiting: options.onWaiting ?? ignore,
  })
}

function takeParameters(url: string): { url: string; given: Record<string, string> } {
  const [base, query] = url.split('?', 2) as [string, string | undefined]
  if (query === undefined) return { url, given: {} }
  const parameters = new URLSearchParams(query)
  const given: Record<string, string> = {}
  for (const name of ownParameters) {
    const value = parameters.get(name)
    if (value === null) continue
    given[name] = value
    parameters.delete(name)
  }
  return { url: parameters.size > 0 ? `${base}?${parameters}` : base, given }
}

function count(read: Record<string, unknown>, name: string, preset: number): number {
  const value = Number(read[name] ?? preset)
  if (Number.isInteger(value) && value >= 1 && value <= 1_000_000) return value
  throw invalid(name, read[name], 'a whole number from 1 to 1000000')
}

function duration(read: Record<string, unknown>, name: string, preset: Duration): number {
  const value = read[name] ?? preset
  return parseDuration(/^\d+$/.test(String(value)) ? Number(value) : (value as Duration), name)
}

function invalid(option: string, value: unknown, accepted: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${option} is ${showValue(value)}; give ${accepted}.`, {
    details: { option },
  })
}

function ignore(): void {}
