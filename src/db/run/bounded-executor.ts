import { parseDuration, type Duration } from '../../core/duration.ts'
import type { ExecuteOptions, Executor } from '../../postgres/index.ts'
import type { DbContext } from '../context.ts'

/** What bounds the statements of a queryset. */
export interface Bounds {
  /** Cancels the statement that runs, on the server too, and sends no further ones. */
  readonly signal?: AbortSignal | undefined
  /** How long each statement may run; 0 for no limit. Default: the pool's. */
  readonly timeout?: Duration | undefined
}

/** An executor whose statements have bounds, unless a statement is given its own. */
export function boundedExecutor(executor: DbContext['executor'], { signal, timeout }: Bounds): DbContext['executor'] {
  const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout, 'timeout')
  const bounds: ExecuteOptions = { signal, timeoutMs }
  const bound = (inner: Executor): Executor => ({
    execute: (statement, values, sink, options) => inner.execute(statement, values, sink, { ...bounds, ...options }),
    batch: (items, options) => inner.batch(items, { ...bounds, ...options }),
    cursor: (statement, values, sink, options) => inner.cursor(statement, values, sink, { ...bounds, ...options }),
  })
  return {
    ...bound(executor),
    transaction: (work, options) => executor.transaction((inner) => work(bound(inner)), options),
  }
}
