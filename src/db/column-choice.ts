import { PlimsollError } from '../core/errors.ts'
import type { ModelGraph } from '../schema/model.ts'
import { resolveField } from './paths.ts'
import type { ColumnChoice, QuerySpec } from './spec.ts'

/**
 * What `only` or `defer` makes of the columns that a spec loads.
 *
 * @throws PLIMSOLL_FIELD_UNKNOWN, PLIMSOLL_RELATION_UNKNOWN; PLIMSOLL_QUERY_INVALID for a relation that is not loaded
 */
export function chooseColumns(
  graph: ModelGraph,
  spec: QuerySpec,
  { mode, paths }: { mode: ColumnChoice['mode']; paths: readonly string[] },
): Map<string, ColumnChoice> {
  const chosen = new Map(mode === 'only' ? [] : spec.columns)
  for (const path of paths) {
    const { column } = resolveField(graph, spec.model, path)
    const level = path.slice(0, Math.max(0, path.lastIndexOf('.')))
    checkJoined(spec, level, path)
    const before = chosen.get(level)
    const keys = new Set(before?.keys)
    // Deferring a column of an `only` level takes it out of that level.
    if (before?.mode === 'only' && mode === 'defer') keys.delete(column.key)
    else keys.add(column.key)
    chosen.set(level, { mode: before?.mode ?? mode, keys })
  }
  return chosen
}

function checkJoined(spec: QuerySpec, level: string, path: string): void {
  if (level === '' || spec.joins.some((join) => join.path === level || join.path.startsWith(`${level}.`))) return
  throw new PlimsollError(
    'PLIMSOLL_QUERY_INVALID',
    `'${path}' names a column of '${level}', which is not loaded: call selectRelated('${level}') first.`,
  )
}
