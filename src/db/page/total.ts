import type { DbContext } from '../context.ts'
import { countRows, estimateRows } from '../run/count.ts'
import type { ReadInput } from '../run/read.ts'
import type { Shape } from '../shape.ts'
import type { Total } from '../types/result.ts'

/** The number of rows of all pages: counted, or as the planner estimates it from its statistics. */
export function readTotal(
  context: DbContext,
  shape: Shape,
  { input, total }: { input: ReadInput; total: Total },
): Promise<number> {
  return total === 'exact' ? countRows(context, shape, input) : estimateRows(context, shape, input)
}
