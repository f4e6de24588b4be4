import type { WireValue } from '../../core/wire.ts'
import { RawRows, type BatchItem, type Executor } from '../../postgres/index.ts'
import type { CompiledPrefetch, CompiledQuery } from '../compile/compiled-query.ts'
import { bindParameters } from '../compile/sql-text.ts'
import { compileKeyReader } from '../decode/key-reader.ts'
import { memoizeByObject } from '../memoize.ts'
import type { RowConsumer, RowFormat } from './row-format.ts'

/** What a run needs besides the compiled query. */
export interface RunInput<Children> {
  readonly executor: Executor
  /** The values of the queryset, by slot. */
  readonly values: readonly WireValue[]
  readonly format: RowFormat<Children>
}

const none: readonly never[] = []
const keyReader = memoizeByObject(compileKeyReader)

/**
 * Runs a compiled query and its prefetches, and hands every row to `consume` once its children are loaded. The number of
 * statements depends on the plan alone, never on the rows: one per relation, and none for relations of no rows.
 */
export async function runQuery<Children>(
  query: CompiledQuery,
  input: RunInput<Children>,
  consume: RowConsumer<Children>,
  added: readonly WireValue[] = none,
): Promise<void> {
  const { executor, values } = input
  const bound = bindParameters(query.sources, values, added)
  if (query.prefetches.length === 0) {
    await executor.execute(query.statement, bound, (chunk, start, end) => consume(chunk, start, end, none))
    return
  }
  const rows = new RawRows()
  const children = await loadWithChildren(query, { input, bound, rows })
  rows.each((chunk, start, end) => consume(chunk, start, end, children))
}

/** Loads rows into `rows` and resolves with their children, one group per prefetch. */
async function loadWithChildren<Children>(
  query: CompiledQuery,
  { input, bound, rows }: { input: RunInput<Children>; bound: readonly WireValue[]; rows: RawRows },
): Promise<readonly Children[]> {
  const { executor } = input
  if (query.prefetches.some((prefetch) => prefetch.strategy === 'snapshot'))
    return inSnapshot(query, { input, bound, rows })
  // Children whose key is known already are asked for first, so that nothing waits for the parents.
  const early = query.prefetches.map((prefetch) =>
    prefetch.strategy === 'pinned' ? loadChildren(prefetch, input, none) : undefined,
  )
  for (const load of early) load?.catch(() => {})
  await executor.execute(query.statement, bound, rows.sink)
  return Promise.all(
    query.prefetches.map((prefetch, i) => early[i] ?? loadChildren(prefetch, input, keysOf(prefetch, rows))),
  )
}

/** Loads the children of rows that are there already: of all of them, or of a range. */
export async function loadChildrenOf<Children>(
  query: CompiledQuery,
  input: RunInput<Children>,
  { rows, from = 0, to = rows.length }: { rows: RawRows; from?: number; to?: number },
): Promise<readonly Children[]> {
  return Promise.all(
    query.prefetches.map((prefetch) => loadChildren(prefetch, input, keysOf(prefetch, rows, from, to))),
  )
}

async function loadChildren<Children>(
  prefetch: CompiledPrefetch,
  input: RunInput<Children>,
  keys: readonly WireValue[] | undefined,
): Promise<Children> {
  const group = input.format.collect(prefetch.query.shape, prefetch.cardinality)
  if (keys !== undefined) await runQuery(prefetch.query, input, groupInto(prefetch, group), keys)
  return group.done()
}

/** Parents by a unique key, and their children by the same key, in one round trip and one snapshot. */
async function inSnapshot<Children>(
  query: CompiledQuery,
  { input, bound, rows }: { input: RunInput<Children>; bound: readonly WireValue[]; rows: RawRows },
): Promise<readonly Children[]> {
  const groups = query.prefetches.map((prefetch) => input.format.collect(prefetch.query.shape, prefetch.cardinality))
  const together: BatchItem[] = [{ statement: query.statement, values: bound, sink: rows.sink }]
  query.prefetches.forEach((prefetch, i) => {
    if (prefetch.strategy !== 'snapshot') return
    const add = groupInto(prefetch, groups[i]!)
    together.push({
      statement: prefetch.query.statement,
      values: bindParameters(prefetch.query.sources, input.values, none),
      sink: (chunk, start, end) => add(chunk, start, end, none),
    })
  })
  await input.executor.batch(together)
  return Promise.all(
    query.prefetches.map((prefetch, i) =>
      prefetch.strategy === 'snapshot' ? groups[i]!.done() : loadChildren(prefetch, input, keysOf(prefetch, rows)),
    ),
  )
}

function groupInto<Children>(
  prefetch: CompiledPrefetch,
  group: ReturnType<RowFormat<Children>['collect']>,
): RowConsumer<Children> {
  const readKey = keyReader(prefetch.childKeySlots)
  return (chunk, start, end, children) => group.add(readKey(chunk, start, end)!, { chunk, start, end }, children)
}

/** The distinct keys of the parents as one array per key column; undefined when no parent has a key. */
function keysOf(prefetch: CompiledPrefetch, rows: RawRows, from = 0, to = rows.length): WireValue[] | undefined {
  const readKey = keyReader(prefetch.parentKeySlots)
  const keys = new Set<string>()
  rows.each(
    (chunk, start, end) => {
      const key = readKey(chunk, start, end)
      if (key !== undefined) keys.add(key)
    },
    from,
    to,
  )
  if (keys.size === 0) return undefined
  if (prefetch.strategy === 'pinned') return []
  if (prefetch.parentKeySlots.length === 1) return [[...keys]]
  const columns = prefetch.parentKeySlots.map((): string[] => [])
  for (const key of keys) key.split('\u0000').forEach((text, i) => columns[i]!.push(text))
  return columns
}
