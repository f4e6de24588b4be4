import { PlimsollError } from '../../core/errors.ts'
import { parsePostgresOptions, type PostgresOptions, type PostgresSettings } from '../options.ts'
import type { RunTarget } from '../session/execute.ts'
import { PrimaryPosition } from './primary-position.ts'
import { Replica } from './replica.ts'
import { ReplicaSet } from './replica-set.ts'

/**
 * The settings of every replica: the options, and what the query of its own URL says.
 *
 * @throws PLIMSOLL_OPTION_INVALID, which shows no part of a URL: it may be one that was cut in two within its password.
 */
export function parseReplicaOptions(options: PostgresOptions): readonly PostgresSettings[] {
  const urls = options.replicaUrls ?? []
  if (urls.length > 0 && options.url.startsWith('pglite:')) {
    throw invalid(
      'PGlite has no replicas: give a postgres:// URL of their primary, or no replicaUrls (DATABASE_REPLICA_URLS).',
    )
  }
  return urls.map((url, i) => {
    if (/^postgres(?:ql)?:\/\//.test(url)) return parsePostgresOptions({ ...options, url })
    throw invalid(
      `Number ${i + 1} of replicaUrls (DATABASE_REPLICA_URLS) does not begin with postgres://; write a comma inside a URL as %2C.`,
    )
  })
}

/** The replicas of the primary behind `primary`, not open yet; undefined when there are none. */
export function createReplicas(
  settings: readonly PostgresSettings[],
  { primary: target, wake }: { readonly primary: RunTarget; readonly wake: () => void },
): ReplicaSet | undefined {
  if (settings.length === 0) return undefined
  const primary = new PrimaryPosition(target)
  return new ReplicaSet(
    settings.map((own) => new Replica(own, { wake, primary })),
    primary,
  )
}

function invalid(message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', message, { details: { option: 'replicaUrls' } })
}
