import { PlimsollError, showValue } from '../../core/errors.ts'
import type { DbContext } from '../context.ts'
import { countRows, estimateRows } from '../run/count.ts'
import type { ReadInput } from '../run/read.ts'
import type { Shape } from '../shape.ts'
import type { Total } from '../types/result.ts'

const readers = { exact: countRows, estimated: estimateRows }

/** @throws PLIMSOLL_PAGE_INVALID for any other way to count. */
export function checkTotal(total: unknown): Total | undefined {
  if (total === undefined || (typeof total === 'string' && Object.hasOwn(readers, total)))
    return total as Total | undefined
  throw new PlimsollError(
    'PLIMSOLL_PAGE_INVALID',
    `The total of a page is 'exact' or 'estimated', not ${showValue(total)}; leave it out to count nothing.`,
    { details: { option: 'total' } },
  )
}

/**
 * The number of rows of all pages: counted, or as the planner estimates it from its statistics; undefined when nobody asked.
 * It is on its way beside the page, whose own failure is the one to report.
 */
export function readTotal(
  context: DbContext,
  shape: Shape,
  { input, total }: { input: ReadInput; total: Total | undefined },
): Promise<number> | undefined {
  if (total === undefined) return undefined
  const rows = readers[total](context, shape, input)
  rows.catch(() => {})
  return rows
}
