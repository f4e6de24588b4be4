import { PlimsollError } from '../../core/errors.ts'
import type { WireValue } from '../../core/wire.ts'
import { compileSelect, type CompiledSelect } from '../compile/compile-select.ts'
import { bindParameters } from '../compile/sql-text.ts'
import type { DbContext } from '../context.ts'
import { compileTextReader } from '../decode/text-reader.ts'
import { memoizeByObject } from '../memoize.ts'
import { RawRows } from '../../postgres/index.ts'
import type { ReadInput } from '../run/read.ts'
import type { Shape } from '../shape.ts'
import type { OrderKey } from '../spec.ts'
import type { PageMarks, PageOptions, Total } from '../types/result.ts'
import { openCursor, signCursor } from './cursor.ts'
import { listIdentity, type ListIdentity } from './list-identity.ts'
import { pageOrder } from './page-order.ts'
import type { PageRows } from './page-rows.ts'
import { checkWhole, maxPageSize } from './page-size.ts'
import { checkTotal, readTotal } from './total.ts'

/** A page that is ready to be read: its statement, and all that decides what comes back. */
export interface PlannedPage<M extends string | number> {
  readonly query: CompiledSelect
  /** What decides the page beside the statement and the values of the queryset. */
  readonly kind: string
  /** The values that the page itself adds. */
  readonly more: readonly WireValue[]
  load(input: ReadInput): Promise<LoadedPage<M>>
}

/** A page's rows and where it lies. */
export interface LoadedPage<M extends string | number> {
  readonly rows: PageRows
  readonly marks: PageMarks<M>
}

/** What is the same for all pages of a list. */
interface PagePlan {
  readonly order: readonly OrderKey[]
  readonly identity: ListIdentity
}

const textReader = memoizeByObject(compileTextReader)

/**
 * Plans one keyset page, which is read with one statement (and one more for a total).
 *
 * @throws PLIMSOLL_PAGE_INVALID, PLIMSOLL_CURSOR_INVALID, PLIMSOLL_QUERY_INVALID
 */
export function planKeysetPage(
  context: DbContext,
  shape: Shape,
  { values, options }: { values: readonly WireValue[]; options: PageOptions },
): PlannedPage<string> {
  const size = checkWhole(options.size, 'size', maxPageSize)
  const { order, identity } = shape.compiled('page', (spec): PagePlan => {
    const pages = pageOrder(spec)
    return { order: pages, identity: listIdentity(spec, pages) }
  })
  const list = identity(values)
  const backward = options.before !== undefined && options.before !== null
  const cursor = options.before ?? options.after ?? undefined
  if (backward && options.after !== undefined && options.after !== null) {
    throw new PlimsollError(
      'PLIMSOLL_PAGE_INVALID',
      'A page starts after one cursor or ends before one: give `after` or `before`, not both.',
    )
  }
  const keys = cursor === undefined ? undefined : openCursor(context.secret, list, { cursor, keys: order.length })
  const nulls = keys?.map((key) => key === null)

  const variant = `page ${size} ${backward ? 'before' : 'after'} ${nulls?.map(Number).join('') ?? ''}`
  const query = shape.compiled(variant, (spec): CompiledSelect => {
    return compileSelect(spec, { graph: context.graph, page: { order, after: nulls, backward, limit: size + 1 } })
  })
  const total = checkTotal(options.total)
  const page = { size, order, list, backward, keys: keys ?? [], fromCursor: keys !== undefined, total }
  return {
    query,
    kind: `${variant} ${total ?? ''}`,
    more: page.keys,
    load: (input) => loadPage(context, shape, { input, query, page }),
  }
}

async function loadPage(
  context: DbContext,
  shape: Shape,
  {
    input,
    query,
    page: { size, order, list, backward, keys, fromCursor, total },
  }: {
    readonly input: ReadInput
    readonly query: CompiledSelect
    readonly page: {
      readonly size: number
      readonly order: readonly OrderKey[]
      readonly list: string
      readonly backward: boolean
      readonly keys: readonly (string | null)[]
      readonly fromCursor: boolean
      readonly total: Total | undefined
    }
  },
): Promise<LoadedPage<string>> {
  const rows = new RawRows()
  const counted = readTotal(context, shape, { input, total })
  await input.executor.execute(query.statement, bindParameters(query.sources, input.values, keys), rows.sink)

  const more = rows.length > size
  const from = backward && more ? 1 : 0
  const to = backward ? rows.length : Math.min(rows.length, size)
  const paths = order.map((key) => key.path)
  const cursorAt = (at: number): string => {
    const readTexts = textReader(query.cursorSlots)
    let signed = ''
    rows.each(
      (chunk, start, end) => {
        signed = signCursor(context.secret, list, { keys: readTexts(chunk, start, end), paths })
      },
      at,
      at + 1,
    )
    return signed
  }
  // A page that was reached from the other side has a neighbour there: the row of the cursor it came by.
  const hasNext = backward ? to > from : more
  const hasPrevious = backward ? more : fromCursor && to > from
  const marks = {
    next: hasNext ? cursorAt(to - 1) : null,
    previous: hasPrevious ? cursorAt(from) : null,
    ...(counted ? { total: await counted } : {}),
  }
  return { rows: { query, rows, from, to, size }, marks }
}
