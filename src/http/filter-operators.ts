import type { Column } from '../schema/model.ts'

const equality = ['eq', 'ne', 'in', 'notIn'] as const
const comparison = ['gt', 'gte', 'lt', 'lte'] as const
const pattern = ['like', 'ilike'] as const

/** An operator of `filter[path][operator]`. */
export type FilterOperator =
  | (typeof equality)[number]
  | (typeof comparison)[number]
  | (typeof pattern)[number]
  | 'isNull'

/** Types without an `=`, or whose values no URL should spell. */
const opaque =
  /^(?:jsonb?|xml|bytea|point|line|lseg|box|path|polygon|circle|geometry|geography|(?:half|sparse)?vec(?:tor)?|tsvector|tsquery)\b|\[\]$/
const textual = /^(?:text|varchar|character varying|char|character|bpchar|citext|name)\b/

/** The operators that PostgreSQL has for the type of a column, and that make sense in a URL; `eq` is the default one. */
export function operatorsOf(column: Column): readonly FilterOperator[] {
  const type = column.codec.sqlType
  if (opaque.test(type)) return ['isNull']
  if (type === 'boolean') return [...equality, 'isNull']
  return textual.test(type)
    ? [...equality, ...comparison, ...pattern, 'isNull']
    : [...equality, ...comparison, 'isNull']
}

/** True when PostgreSQL can sort the type of a column. */
export function isOrderable(column: Column): boolean {
  return !opaque.test(column.codec.sqlType) || /^(?:jsonb|bytea)$/.test(column.codec.sqlType)
}
