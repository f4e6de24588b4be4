import { parseDuration } from '../../core/duration.ts'
import type { ExecuteOptions, Executor } from '../../postgres/index.ts'
import type { DbContext } from '../context.ts'
import type { Bounds } from '../types/bounds.ts'

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
