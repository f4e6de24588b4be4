import type { WireValue } from '../../core/wire.ts'
import { compileSelect } from '../compile/compile-select.ts'
import { bindParameters } from '../compile/sql-text.ts'
import type { DbContext } from '../context.ts'
import { RawRows } from '../../postgres/index.ts'
import type { Shape } from '../shape.ts'
import type { PageNumberOptions } from '../types/result.ts'
import type { PlannedPage } from './keyset-page.ts'
import { pageOrder } from './page-order.ts'
import { checkWhole, maxPageSize } from './page-size.ts'
import { checkTotal, readTotal } from './total.ts'

/** The highest page number: an offset of more rows than this would fail in PostgreSQL's bigint, and long before in patience. */
const maxPage = 1_000_000_000

/**
 * Plans one numbered page, which is read with one statement (and one more for a total). PostgreSQL walks past every row before
 * it, so the cost grows with the number.
 *
 * @throws PLIMSOLL_PAGE_INVALID, PLIMSOLL_QUERY_INVALID
 */
export function planNumberPage(
  context: DbContext,
  shape: Shape,
  { values, options }: { values: readonly WireValue[]; options: PageNumberOptions },
): PlannedPage<number> {
  const size = checkWhole(options.size, 'size', maxPageSize)
  const page = checkWhole(options.page, 'number', maxPage)
  const slot = values.length
  const query = shape.compiled(`numbered ${size} ${slot}`, (spec) => {
    return compileSelect({ ...spec, order: pageOrder(spec), limit: size + 1, offset: slot }, { graph: context.graph })
  })
  const total = checkTotal(options.total)
  const more = [(page - 1) * size]
  return {
    query,
    kind: `numbered ${total ?? ''}`,
    more,
    async load(input) {
      const rows = new RawRows()
      const counted = readTotal(context, shape, { input, total })
      const bound = bindParameters(query.sources, [...values, ...more], [])
      await input.executor.execute(query.statement, bound, rows.sink)
      const marks = {
        next: rows.length > size ? page + 1 : null,
        previous: page > 1 ? page - 1 : null,
        ...(counted ? { total: await counted } : {}),
      }
      return { rows: { query, rows, from: 0, to: Math.min(rows.length, size), size }, marks }
    },
  }
}
