import type { Column } from '../../schema/model.ts'
import { memoizeByObject } from '../memoize.ts'
import { arrayOperators, comparisonOperators, patternOperators } from './condition.ts'

/**
 * What PostgreSQL can do with the values of a type. `scalar`: compare and sort. `text`: match patterns too. `document`:
 * jsonb, which is sorted and can contain. `shape`: geometry, equal or not. `opaque`: nothing, not even compare. `unknown`:
 * a type that is not built in; what it can do is left to PostgreSQL.
 */
export type TypeFamily = 'scalar' | 'text' | 'array' | 'document' | 'shape' | 'opaque' | 'unknown'

const families: readonly (readonly [TypeFamily, RegExp])[] = [
  ['text', /^(?:text|varchar|character varying|bpchar|char|character|name|citext)$/],
  [
    'scalar',
    /^(?:smallint|integer|bigint|numeric|real|double precision|money|oid|boolean|uuid|date|interval|bytea|varbit|inet|cidr|macaddr8?|(?:half|sparse)?vec(?:tor)?|tsvector)$|^time(?:stamp)? with/,
  ],
  ['document', /^jsonb$/],
  ['shape', /^(?:line|lseg|box|path|circle|geometry|geography)\b/],
  ['opaque', /^(?:json|xml|point|polygon)$/],
]

/** The family of the type of a column. Arrays are compared and sorted by their elements, or not at all. */
export function familyOf({ codec: { sqlType }, isEnum }: Column): TypeFamily {
  const element = sqlType.replace(/(?:\[\])+$/, '').toLowerCase()
  const family = isEnum ? 'scalar' : (families.find(([, types]) => types.test(element))?.[0] ?? 'unknown')
  if (!sqlType.endsWith(']')) return family
  return family === 'shape' || family === 'opaque' ? 'opaque' : 'array'
}

const comparison = Object.keys(comparisonOperators)
const pattern = Object.keys(patternOperators)
const array = Object.keys(arrayOperators)
const sorted = [...comparison, 'in', 'notIn']

const operators: Readonly<Record<TypeFamily, readonly string[]>> = {
  scalar: sorted,
  text: [...sorted, ...pattern],
  array: [...sorted, ...array],
  document: [...sorted, 'arrayContains', 'arrayContained'],
  // There is no `<>` for some of them.
  shape: ['eq', 'in'],
  opaque: [],
  unknown: [...sorted, ...pattern, ...array],
}

/** The operators that filters of a column can have, by Drizzle's names. */
export const operatorsOf: (column: Column) => ReadonlySet<string> = memoizeByObject((column) => {
  const all = [...operators[familyOf(column)], 'isNull', 'isNotNull']
  // A list of values is cast, and PostgreSQL compares bit[] with none of the types that keep bits of any length.
  const listed = !column.codec.sqlType.startsWith('varbit[')
  return new Set(listed ? all : all.filter((name) => name !== 'in' && name !== 'notIn'))
})

/** True when PostgreSQL can sort the type of a column, as far as that is known. */
export function isOrderable(column: Column): boolean {
  const family = familyOf(column)
  return family !== 'shape' && family !== 'opaque'
}
