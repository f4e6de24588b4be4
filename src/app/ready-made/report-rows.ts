import { PlimsollError } from '../../core/errors.ts'
import type { Reads } from '../../db/types/queryset.ts'

/** Where the rows of a report come from. */
export type RowSource<Row> = Pick<Reads<Row>, 'iterate' | 'count' | 'pageNumber'> | AsyncIterable<Row> | Iterable<Row>

/** The rows of a source. */
export type RowOf<Source> =
  Source extends Reads<infer Row>
    ? Row
    : Source extends AsyncIterable<infer Row>
      ? Row
      : Source extends Iterable<infer Row>
        ? Row
        : never

interface Bounded {
  within?(bounds: { readonly signal: AbortSignal }): unknown
}

/** How many rows there will be; undefined when nobody knows. */
export async function countRows<Row>(
  source: RowSource<Row>,
  { total, signal }: { readonly total: 'exact' | 'estimated' | false; readonly signal: AbortSignal },
): Promise<number | undefined> {
  if (Array.isArray(source)) return source.length
  if (total === false || !isQueryset(source)) return undefined
  const bounded = within(source, signal)
  if (total === 'exact') return bounded.count()
  return (await bounded.pageNumber({ page: 1, size: 1, total })).total
}

/**
 * The values of the columns, row by row; a queryset is read in chunks, and ends with the signal.
 *
 * @throws PLIMSOLL_OPTION_INVALID when it is something else
 */
export async function* readRows<Row>(
  source: RowSource<Row>,
  {
    columns,
    signal,
    onRow,
  }: {
    readonly columns: readonly (string | ((row: Row) => unknown))[]
    readonly signal: AbortSignal
    readonly onRow: () => void
  },
): AsyncGenerator<readonly unknown[], void, void> {
  const readers = columns.map((column) => (typeof column === 'function' ? column : readerOf(column)))
  for await (const row of iterate(source, signal)) {
    signal.throwIfAborted()
    onRow()
    yield readers.map((read) => read(row))
  }
}

function iterate<Row>(source: RowSource<Row>, signal: AbortSignal): AsyncIterable<Row> | Iterable<Row> {
  if (isQueryset(source)) return within(source, signal).iterate()
  const given = source as unknown
  if (typeof given === 'object' && given !== null && (Symbol.asyncIterator in given || Symbol.iterator in given))
    return source
  const problem =
    given instanceof Promise ? 'a promise, which would hold all rows at once' : 'nothing that can be iterated'
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `rows of defineReport() returned ${problem}; return a queryset, without async and await, or an async iterable.`,
    { details: { option: 'rows' } },
  )
}

function isQueryset<Row>(source: RowSource<Row>): source is Extract<RowSource<Row>, Pick<Reads<Row>, 'iterate'>> {
  return typeof source === 'object' && source !== null && 'iterate' in source && typeof source.iterate === 'function'
}

function within<Row, Source extends Pick<Reads<Row>, 'iterate'>>(source: Source, signal: AbortSignal): Source {
  const { within: bound } = source as Bounded
  return bound === undefined ? source : (bound.call(source, { signal }) as Source)
}

/** Reads a path of a row, or a member of that name, as `values` makes them. */
function readerOf(path: string): (row: unknown) => unknown {
  const names = path.split('.')
  return (row) => {
    const record = row as Readonly<Record<string, unknown>>
    if (names.length === 1 || Object.hasOwn(record, path)) return record[path]
    let value: unknown = record
    for (const name of names) value = (value as Readonly<Record<string, unknown>> | null | undefined)?.[name]
    return value
  }
}
