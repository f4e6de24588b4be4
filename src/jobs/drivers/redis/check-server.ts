import { PlimsollError } from '../../../core/errors.ts'
import { newsChannel } from './news.ts'
import type { RedisLink } from './redis-link.ts'
import type { RedisAddress } from './redis-source.ts'

/** The first version that takes several elements off a list at once. */
const oldest = [6, 2] as const

/**
 * Looks at what a Redis does with what it keeps. One that may evict jobs is refused; one that forgets them when it restarts is
 * warned of. A server that does not say is taken as it is.
 *
 * @throws PLIMSOLL_JOBS_UNAVAILABLE, PLIMSOLL_JOBS_UNREACHABLE when it has no such database, or may not be asked
 */
export async function checkServer(link: RedisLink, { name, connection: { db } }: RedisAddress): Promise<void> {
  // One that it does not have would silently be the first.
  if (db) await link.command('SELECT', db)
  // Users of Redis 7 may use no channel unless they are told that they may; a script would have stored its jobs when it comes to that.
  await link.command('PUBLISH', newsChannel(link.prefix), '')
  const info = await Promise.all(['server', 'memory', 'persistence'].map((section) => link.command('INFO', section)))
  const facts = new Map(
    info.flatMap((text) =>
      String(text)
        .split('\r\n')
        .map((line) => line.split(':') as [string, string]),
    ),
  )
  const refuse = (what: string): PlimsollError =>
    new PlimsollError('PLIMSOLL_JOBS_UNAVAILABLE', `The Redis of the jobs at ${name} ${what}`, { details: { name } })
  const version = facts.get('redis_version')
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  if (version !== undefined && (major < oldest[0] || (major === oldest[0] && minor < oldest[1])))
    throw refuse(`has version ${version}; jobs need ${oldest.join('.')} or newer.`)
  const policy = facts.get('maxmemory_policy') ?? 'noeviction'
  if (policy !== 'noeviction' && facts.get('maxmemory') !== '0')
    throw refuse(
      `throws away keys when its memory is full (maxmemory-policy ${policy}), and jobs with them. Set maxmemory-policy noeviction, or use a Redis of its own: a cache belongs on another one.`,
    )
  if (facts.get('aof_enabled') === '0')
    process.emitWarning(
      `The Redis of the jobs at ${name} keeps no append-only file: what it has taken since its last snapshot is lost when it restarts. Set appendonly yes.`,
      'PlimsollWarning',
    )
}
