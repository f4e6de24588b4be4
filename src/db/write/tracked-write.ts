import type { Executor } from '../../postgres/index.ts'
import {
  cascadeTags,
  mostWrittenRows,
  tableTags,
  unknownRowTags,
  worstTags,
  writtenRowTags,
} from '../../schema/index.ts'
import type { Column, Model } from '../../schema/model.ts'
import type { DbContext, TransactionalExecutor } from '../context.ts'
import { boundedExecutor } from '../run/bounded-executor.ts'

/** The texts of the columns that the tags of a row are made of (`TableTags.written`). */
export type RowTexts = readonly (string | null)[]

/** What a write of one table did: its rows, before and after where these may differ; `unknown` when that cannot be said. */
export interface WriteEffect {
  /** Rows that were written. */
  readonly rowCount: number
  readonly rows: readonly RowTexts[] | 'unknown'
  /** What foreign keys of other tables have followed. */
  readonly cascade: 'none' | 'delete' | readonly Column[]
}

/** No tag says more than so many rows; one more tells that there were more. */
export const mostReturnedRows = mostWrittenRows + 1

/**
 * Runs a write. With a tracker, `tracked` runs on what that hands out, and tells what it did; without one `plain` runs, as if there
 * were no tags.
 */
export async function runWrite<T>(
  context: DbContext,
  model: Model,
  {
    plain,
    tracked,
  }: {
    plain: (executor: TransactionalExecutor) => Promise<T>
    tracked: (
      executor: TransactionalExecutor,
    ) => Promise<{ readonly result: T; readonly effects: readonly WriteEffect[] }>
  },
): Promise<T> {
  const { writes, bounds, graph, transaction } = context
  if (writes === undefined) return plain(context.executor)
  return writes.write(
    async (executor) => {
      const { result, effects } = await tracked(bounds ? boundedExecutor(executor, bounds) : executor)
      return { result, tags: tagsOf(context, model, effects) }
    },
    worstTags(graph, model),
    transaction,
  )
}

/** Several statements in one transaction, or one as it is. */
export function together<T>(
  executor: TransactionalExecutor,
  statements: number,
  work: (executor: Executor) => Promise<T>,
): Promise<T> {
  return statements <= 1 ? work(executor) : executor.transaction(work)
}

function tagsOf({ graph }: DbContext, model: Model, effects: readonly WriteEffect[]): readonly string[] {
  const done = effects.filter(({ rowCount }) => rowCount > 0)
  if (done.length === 0) return []
  const table = tableTags(graph, model)
  const rowCount = done.reduce((sum, effect) => sum + effect.rowCount, 0)
  const rows = rowCount > mostWrittenRows ? [] : done.map((effect) => effect.rows)
  const known = rows.filter((texts) => texts !== 'unknown')
  const own = known.length === done.length ? writtenRowTags(table, known.flat()) : unknownRowTags(table)
  const behind = done.flatMap(({ cascade }) => {
    if (cascade === 'none') return []
    return cascade === 'delete'
      ? cascadeTags(graph, model, { kind: 'delete' })
      : cascadeTags(graph, model, { kind: 'update', columns: cascade })
  })
  return [...new Set([...own, ...behind])]
}
