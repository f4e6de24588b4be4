import type { Redis } from 'ioredis'
import { PlimsollError } from '../../../core/errors.ts'

const oldest = [6, 2] as const

/**
 * Checks that a server is what the store needs, and resolves with 16 characters of its `run_id`.
 *
 * @throws PLIMSOLL_FEATURE_UNSUPPORTED for an old Redis, and for a cluster where none was expected or the other way round.
 */
export async function inspectServer(
  client: Redis,
  { name, cluster }: { readonly name: string; readonly cluster: boolean },
): Promise<string> {
  const [server, replication, persistence] = await Promise.all([
    client.info('server'),
    client.info('replication'),
    client.info('persistence'),
  ])
  const field = (text: string, key: string): string => new RegExp(`^${key}:(.*?)\r?$`, 'm').exec(text)?.[1] ?? ''
  const version = field(server, 'redis_version')
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
    throw unsupported(`The Redis at ${name} is version ${version}; the cache needs 6.2 or later, or Valkey.`)
  }
  const isCluster = field(server, 'redis_mode') === 'cluster'
  if (isCluster !== cluster) {
    throw isCluster ? unsupported(`The Redis at ${name} is a cluster: add ?cluster=true to its URL.`) : noCluster(name)
  }
  if (field(persistence, 'loading') === '1') throw new Error('It is loading its data.')
  if (field(replication, 'role') === 'slave') throw new Error('It is a replica, which takes no writes.')
  // One that has just come back, or that too many others cannot be reached from, answers no command yet.
  if (cluster && !(await client.cluster('INFO')).includes('cluster_state:ok')) throw new Error('Its cluster is down.')
  const runId = field(server, 'run_id')
  if (runId.length < 16) throw unsupported(`The Redis at ${name} does not tell its run_id (INFO server).`)
  return runId.slice(0, 16)
}

/** The error for a server that the URL wrongly calls a cluster. */
export function noCluster(name: string): PlimsollError {
  return unsupported(`The Redis at ${name} is no cluster: leave cluster=true out of its URL.`)
}

function unsupported(message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_FEATURE_UNSUPPORTED', message)
}
