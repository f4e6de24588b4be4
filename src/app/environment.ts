import { PlimsollError } from '../core/errors.ts'

/** Where the database lies when nothing says so: PGlite, in a folder beside the application. */
export const embeddedDatabase = 'pglite:.plimsoll/db'

/** `value`, else the environment variable `name` unless that is empty. */
export function optionOrEnvironment(value: string | undefined, name: string): string | undefined {
  return value ?? (process.env[name] || undefined)
}

/** The URLs of read replicas that DATABASE_REPLICA_URLS lists, separated by commas. */
export function replicaUrls(): readonly string[] {
  const list = optionOrEnvironment(undefined, 'DATABASE_REPLICA_URLS') ?? ''
  return list.split(',').flatMap((url) => url.trim() || [])
}

/**
 * The port to listen on: the option, else PORT, else 3000. 0 takes any free one.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function readPort(port: number | undefined): number {
  const text = port === undefined ? optionOrEnvironment(undefined, 'PORT') : String(port)
  if (text === undefined) return 3000
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text)
  throw new PlimsollError('PLIMSOLL_OPTION_INVALID', `PORT is '${text}'; give a number from 0 to 65535.`, {
    details: { option: 'port' },
  })
}
