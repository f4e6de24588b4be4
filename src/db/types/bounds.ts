import type { Duration } from '../../core/duration.ts'

/** What bounds the statements of a queryset. */
export interface Bounds {
  /** Cancels the statement that runs, on the server too, and sends no further ones. */
  readonly signal?: AbortSignal | undefined
  /** How long each statement may run; 0 for no limit. Default: the pool's. */
  readonly timeout?: Duration | undefined
}
