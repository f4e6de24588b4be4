import { quote } from './sql-text.ts'

/** Which rows of each parent are wanted. */
export interface RankBounds {
  readonly limit: number | undefined
  /** A placeholder. */
  readonly offset: string | undefined
}

const rank = quote('__rank')

/** Counts the rows of each parent from 1, in `order`: ` order by …` or ''. */
export function rankSql(parentKeys: readonly string[], order: string): string {
  return `row_number() over (partition by ${parentKeys.join(', ')}${order}) as ${rank}`
}

/** Keeps the rows that a limit and an offset per parent leave, of rows that {@link rankSql} has counted. */
export function withinRanks({ limit, offset }: RankBounds): string {
  const skip = offset === undefined ? '0' : `${offset}::bigint`
  const from = `${rank} > ${skip}`
  return limit === undefined ? from : `${from} and ${rank} <= ${skip} + ${limit}`
}
