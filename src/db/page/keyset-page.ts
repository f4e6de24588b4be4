import { PlimsollError } from '../../core/errors.ts'
import { compileSelect, type CompiledSelect } from '../compile/compile-select.ts'
import { bindParameters } from '../compile/sql-text.ts'
import type { DbContext } from '../context.ts'
import { compileTextReader } from '../decode/text-reader.ts'
import { memoizeByObject } from '../memoize.ts'
import { RawRows } from '../run/raw-rows.ts'
import type { ReadInput } from '../run/read.ts'
import type { Shape } from '../shape.ts'
import type { OrderKey } from '../spec.ts'
import type { PageMarks, PageOptions } from '../types/result.ts'
import { openCursor, signCursor } from './cursor.ts'
import { listIdentity, type ListIdentity } from './list-identity.ts'
import { pageOrder } from './page-order.ts'
import type { PageRows } from './page-rows.ts'
import { checkWhole, maxPageSize } from './page-size.ts'
import { readTotal } from './total.ts'

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
 * Reads the rows of one keyset page with one statement (and one more for a total).
 *
 * @throws PLIMSOLL_PAGE_INVALID, PLIMSOLL_CURSOR_INVALID, PLIMSOLL_QUERY_INVALID
 */
export async function loadKeysetPage(
  context: DbContext,
  shape: Shape,
  { input, options }: { input: ReadInput; options: PageOptions },
): Promise<LoadedPage<string>> {
  const size = checkWhole(options.size, 'size', maxPageSize)
  const { order, identity } = shape.compiled('page', (spec): PagePlan => {
    const pages = pageOrder(spec)
    return { order: pages, identity: listIdentity(spec, pages) }
  })
  const list = identity(input.values)
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
  const rows = new RawRows()
  const total = readTotal(context, shape, { input, total: options.total })
  await input.executor.execute(query.statement, bindParameters(query.sources, input.values, keys ?? []), rows.sink)

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
  const hasPrevious = backward ? more : keys !== undefined && to > from
  const marks = {
    next: hasNext ? cursorAt(to - 1) : null,
    previous: hasPrevious ? cursorAt(from) : null,
    ...(total ? { total: await total } : {}),
  }
  return { rows: { query, rows, from, to, size }, marks }
}
