import type { Column, Relation } from '../../schema/model.ts'

/** Comparison operators and their SQL. */
export const comparisonOperators = {
  eq: '=',
  ne: '<>',
  gt: '>',
  gte: '>=',
  lt: '<',
  lte: '<=',
} as const

/** Pattern operators and their SQL. */
export const patternOperators = {
  like: 'like',
  ilike: 'ilike',
  notLike: 'not like',
  notIlike: 'not ilike',
} as const

/** Array operators and their SQL. */
export const arrayOperators = {
  arrayContains: '@>',
  arrayContained: '<@',
  arrayOverlaps: '&&',
} as const

/** Every operator of a column filter. */
export const filterOperators: readonly string[] = [
  ...Object.keys(comparisonOperators),
  'in',
  'notIn',
  ...Object.keys(patternOperators),
  ...Object.keys(arrayOperators),
  'isNull',
  'isNotNull',
]

/** A filter as a tree, without its values: `slot` says where a value lies among the values of the queryset. */
export type Condition =
  | { readonly kind: 'and' | 'or'; readonly items: readonly Condition[] }
  | { readonly kind: 'not'; readonly item: Condition }
  /** Holds when `item` is false or NULL: the rows that a filter leaves out. */
  | { readonly kind: 'notTrue'; readonly item: Condition }
  | {
      readonly kind: 'operator'
      readonly column: Column
      readonly sql: string
      readonly slot: number
      readonly text: boolean
    }
  /** A comparison with a constant of the schema, which stands in the SQL text. */
  | { readonly kind: 'constant'; readonly column: Column; readonly sql: string; readonly literal: string }
  | { readonly kind: 'isNull'; readonly column: Column; readonly negated: boolean }
  /** `slot` holds an array; `orNull` is whether that array held a null, which needs its own test. */
  | {
      readonly kind: 'in'
      readonly column: Column
      readonly negated: boolean
      readonly slot: number
      readonly orNull: boolean
    }
  | {
      readonly kind: 'related'
      readonly relation: Relation
      readonly negated: boolean
      readonly item: Condition | undefined
    }
  /** SQL of the caller's own: text pieces, between them the slots of its values; `rawAlias` stands for the table. */
  | { readonly kind: 'raw'; readonly pieces: readonly string[]; readonly firstSlot: number }

/** The quoted alias that RAW SQL uses for its table until it is compiled. */
export const rawAlias = '__plimsoll_table__'
