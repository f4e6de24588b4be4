import { parseDuration } from '../../core/duration.ts'
import { PlimsollError, showValue } from '../../core/errors.ts'
import type { DbContext } from '../context.ts'
import type { CachedOptions } from '../types/cached.ts'

/**
 * The options of `cached`, where there is a cache to keep answers in.
 *
 * @throws PLIMSOLL_QUERY_INVALID without one; PLIMSOLL_OPTION_INVALID for what is no duration.
 */
export function checkCached({ cache }: Pick<DbContext, 'cache'>, options: CachedOptions): CachedOptions {
  if (cache === undefined) {
    throw new PlimsollError(
      'PLIMSOLL_QUERY_INVALID',
      'cached() keeps answers in a cache, and this database was opened without one: open it with createApp(), or give createDb() a `cache`.',
    )
  }
  if (typeof options !== 'object' || options === null) {
    throw new PlimsollError(
      'PLIMSOLL_QUERY_INVALID',
      `cached() takes { ttl, stale }, such as { ttl: '5m' }, not ${showValue(options)}.`,
    )
  }
  const { ttl, stale } = options
  if (ttl !== undefined) parseDuration(ttl, 'ttl')
  if (stale !== undefined) parseDuration(stale, 'stale')
  return { ttl, stale }
}
