import { parseDuration } from '../../core/duration.ts'
import type { ExecuteOptions, Executor } from '../../postgres/index.ts'
import type { DbContext } from '../context.ts'
import type { Bounds } from '../types/bounds.ts'

/** An executor whose statements have bounds, unless a statement is given its own. */
export function boundedExecutor(executor: DbContext['executor'], bounds: Bounds): DbContext['executor'] {
  const bound = (inner: Executor): Executor => boundedStatements(inner, bounds)
  const { replicas, forRead, forFill } = executor
  return {
    ...bound(executor),
    transaction: (work, options) => executor.transaction((inner) => work(bound(inner)), options),
    replicas: replicas && {
      behind: (options) => bound(replicas.behind(options)),
      atLeast: (position) => bound(replicas.atLeast(position)),
      position: () => replicas.position(),
    },
    ...(forRead && { forRead: () => bound(forRead()) }),
    ...(forFill && { forFill }),
  }
}

/** The same for what runs statements and nothing else. */
export function boundedStatements(inner: Executor, { signal, timeout }: Bounds): Executor {
  const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout, 'timeout')
  const bounds: ExecuteOptions = { signal, timeoutMs }
  return {
    execute: (statement, values, sink, options) => inner.execute(statement, values, sink, { ...bounds, ...options }),
    batch: (items, options) => inner.batch(items, { ...bounds, ...options }),
    cursor: (statement, values, sink, options) => inner.cursor(statement, values, sink, { ...bounds, ...options }),
  }
}
