import { compileSelect } from '../compile/compile-select.ts'
import { bindParameters } from '../compile/sql-text.ts'
import type { DbContext } from '../context.ts'
import { RawRows } from '../run/raw-rows.ts'
import type { ReadInput } from '../run/read.ts'
import type { Shape } from '../shape.ts'
import type { PageNumberOptions } from '../types/result.ts'
import type { LoadedPage } from './keyset-page.ts'
import { pageOrder } from './page-order.ts'
import { checkWhole, maxPageSize } from './page-size.ts'
import { readTotal } from './total.ts'

/** The highest page number: an offset of more rows than this would fail in PostgreSQL's bigint, and long before in patience. */
const maxPage = 1_000_000_000

/**
 * Reads the rows of one numbered page with one statement (and one more for a total). PostgreSQL walks past every row before
 * it, so the cost grows with the number.
 *
 * @throws PLIMSOLL_PAGE_INVALID, PLIMSOLL_QUERY_INVALID
 */
export async function loadNumberPage(
  context: DbContext,
  shape: Shape,
  { input, options }: { input: ReadInput; options: PageNumberOptions },
): Promise<LoadedPage<number>> {
  const size = checkWhole(options.size, 'size', maxPageSize)
  const page = checkWhole(options.page, 'number', maxPage)
  const slot = input.values.length
  const query = shape.compiled(`numbered ${size} ${slot}`, (spec) => {
    return compileSelect({ ...spec, order: pageOrder(spec), limit: size + 1, offset: slot }, { graph: context.graph })
  })
  const rows = new RawRows()
  const total = readTotal(context, shape, { input, total: options.total })
  const values = bindParameters(query.sources, [...input.values, (page - 1) * size], [])
  await input.executor.execute(query.statement, values, rows.sink)
  const marks = {
    next: rows.length > size ? page + 1 : null,
    previous: page > 1 ? page - 1 : null,
    ...(total ? { total: await total } : {}),
  }
  return { rows: { query, rows, from: 0, to: Math.min(rows.length, size), size }, marks }
}
