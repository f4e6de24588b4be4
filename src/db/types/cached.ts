import type { Duration } from '../../core/duration.ts'

/** How long an answer of a queryset may be kept; see `cached`. */
export interface CachedOptions {
  /** How long it is fresh. Writes end it sooner. Default: the cache's own. */
  readonly ttl?: Duration | undefined
  /** How long after that it may still be served, while one reader loads it anew. Default: none. */
  readonly stale?: Duration | undefined
}
