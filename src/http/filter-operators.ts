import { familyOf } from '../db/filter/column-operators.ts'
import type { Column } from '../schema/model.ts'

export { isOrderable } from '../db/filter/column-operators.ts'

const equality = ['eq', 'ne', 'in', 'notIn'] as const
const comparison = ['gt', 'gte', 'lt', 'lte'] as const
const pattern = ['like', 'ilike'] as const

/** An operator of `filter[path][operator]`. */
export type FilterOperator =
  | (typeof equality)[number]
  | (typeof comparison)[number]
  | (typeof pattern)[number]
  | 'isNull'

/** Types that PostgreSQL compares, but whose values no URL should spell. */
const notForUrls = /^(?:bytea|(?:half|sparse)?vec(?:tor)?|tsvector|tsquery)$/

/** The operators of a column that make sense in a URL, of those that its filters can have; `eq` is the default one. */
export function operatorsOf(column: Column): readonly FilterOperator[] {
  const family = familyOf(column)
  const { sqlType } = column.codec
  if (family === 'text') return [...equality, ...comparison, ...pattern, 'isNull']
  if ((family !== 'scalar' && family !== 'unknown') || notForUrls.test(sqlType)) return ['isNull']
  return sqlType === 'boolean' ? [...equality, 'isNull'] : [...equality, ...comparison, 'isNull']
}
