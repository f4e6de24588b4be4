import type { Operators, SQL, SQLWrapper } from 'drizzle-orm'
import type { ColumnKey, ColumnValue, Models, RelationKey, TargetOf, Unnamed } from './model.ts'

/**
 * A filter of the model `T` in Drizzle's relational filter language: columns by value or operator, to-one and to-many
 * relations by a filter of their rows (or true and false: with and without any), `AND`, `OR`, `NOT`, and `RAW` for SQL.
 *
 * @example { status: 'published', views: { gte: 5 }, editorId: null, author: { country: 'SE' } }
 */
export type Filter<T extends keyof S, S extends Models> = Unnamed<
  T,
  { readonly [K in ColumnKey<T, S>]?: ColumnFilter<ColumnValue<T, S, K>> } & {
    readonly [K in RelationKey<T, S>]?: boolean | Filter<TargetOf<T, S, K>, S>
  } & {
    readonly AND?: readonly Filter<T, S>[]
    readonly OR?: readonly Filter<T, S>[]
    readonly NOT?: Filter<T, S>
    readonly RAW?: RawFilter<S[T]['table']>
  }
>

/** SQL of your own; the table that the function gets is the aliased one of the query. */
export type RawFilter<Table> = SQLWrapper | ((table: Table, operators: Operators) => SQL)

/** A filter of one column: its value (null for IS NULL), or operators that must all hold. */
export type ColumnFilter<Value> = Operand<Value> | ColumnOperators<Value> | null

/** The operators of a column filter, by Drizzle's names. A null among the values of `in` and `notIn` means IS NULL. */
export interface ColumnOperators<Value> {
  readonly eq?: Value | null
  readonly ne?: Value | null
  readonly gt?: Value
  readonly gte?: Value
  readonly lt?: Value
  readonly lte?: Value
  readonly in?: readonly (Value | null)[]
  readonly notIn?: readonly (Value | null)[]
  readonly like?: string
  readonly ilike?: string
  readonly notLike?: string
  readonly notIlike?: string
  readonly arrayContains?: readonly Element<Value>[]
  readonly arrayContained?: readonly Element<Value>[]
  readonly arrayOverlaps?: readonly Element<Value>[]
  readonly isNull?: boolean
  readonly isNotNull?: boolean
  readonly NOT?: ColumnFilter<Value>
  readonly AND?: readonly ColumnFilter<Value>[]
  readonly OR?: readonly ColumnFilter<Value>[]
}

/**
 * Values that need no `{ eq }` around them. An object would read as operators, so JSON columns and arrays do need it.
 */
type Operand<Value> = Value extends string | number | bigint | boolean | Date ? Value : never

type Element<Value> = Value extends readonly (infer Item)[] ? Item : Value
