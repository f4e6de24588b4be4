import type { Operators, SQL, SQLWrapper } from 'drizzle-orm'
import type { ColumnKey, ColumnKind, ColumnValue, Models, RelationKey, TargetOf, Unnamed } from './model.ts'

/**
 * A filter of the model `T` in Drizzle's relational filter language: columns by value or operator, to-one and to-many
 * relations by a filter of their rows (or true and false: with and without any), `AND`, `OR`, `NOT`, and `RAW` for SQL.
 *
 * @example { status: 'published', views: { gte: 5 }, editorId: null, author: { country: 'SE' } }
 */
export type Filter<T extends keyof S, S extends Models> = Unnamed<
  T,
  { readonly [K in ColumnKey<T, S>]?: FilterOf<ColumnValue<T, S, K>, ColumnKind<T, S, K>> } & {
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

/**
 * The filter that a column can have: patterns are for text, and array operators for arrays. A text with values of its own may
 * be a PostgreSQL enum, which has no patterns; that is found out when it runs.
 */
type FilterOf<Value, Kind> = Kind extends 'custom'
  ? AnyFilter<Value>
  : [Value] extends [string]
    ? Kind extends 'string' | 'string enum'
      ? TextFilter<Value>
      : ColumnFilter<Value>
    : [Value] extends [readonly unknown[]]
      ? Kind extends `array ${string}`
        ? ColumnFilter<Value>
        : ArrayFilter<Value>
      : ColumnFilter<Value>

/** A filter of one column: its value (null for IS NULL), or operators that must all hold. */
export type ColumnFilter<Value> = Operand<Value> | ColumnOperators<Value> | null

/** A {@link ColumnFilter} of text. */
export type TextFilter<Value> = Operand<Value> | TextOperators<Value> | null

/** A {@link ColumnFilter} of an array. */
export type ArrayFilter<Value> = Operand<Value> | ArrayOperators<Value> | null

/** A {@link ColumnFilter} of a type of your own, for which all operators may exist. */
export type AnyFilter<Value> = Operand<Value> | AnyOperators<Value> | null

/** The operators that all types have, by Drizzle's names. A null among the values of `in` and `notIn` means IS NULL. */
export interface ColumnOperators<Value> {
  readonly eq?: Value | null
  readonly ne?: Value | null
  readonly gt?: Value
  readonly gte?: Value
  readonly lt?: Value
  readonly lte?: Value
  readonly in?: readonly (Value | null)[]
  readonly notIn?: readonly (Value | null)[]
  readonly isNull?: boolean
  readonly isNotNull?: boolean
  readonly NOT?: ColumnFilter<Value>
  readonly AND?: readonly ColumnFilter<Value>[]
  readonly OR?: readonly ColumnFilter<Value>[]
}

interface Patterns {
  readonly like?: string
  readonly ilike?: string
  readonly notLike?: string
  readonly notIlike?: string
}

interface Containment<Value> {
  readonly arrayContains?: readonly Element<Value>[]
  readonly arrayContained?: readonly Element<Value>[]
  readonly arrayOverlaps?: readonly Element<Value>[]
}

/** The operators of text. */
export interface TextOperators<Value> extends ColumnOperators<Value>, Patterns {
  readonly NOT?: TextFilter<Value>
  readonly AND?: readonly TextFilter<Value>[]
  readonly OR?: readonly TextFilter<Value>[]
}

/** The operators of arrays. */
export interface ArrayOperators<Value> extends ColumnOperators<Value>, Containment<Value> {
  readonly NOT?: ArrayFilter<Value>
  readonly AND?: readonly ArrayFilter<Value>[]
  readonly OR?: readonly ArrayFilter<Value>[]
}

/** All operators. */
export interface AnyOperators<Value> extends ColumnOperators<Value>, Patterns, Containment<Value> {
  readonly NOT?: AnyFilter<Value>
  readonly AND?: readonly AnyFilter<Value>[]
  readonly OR?: readonly AnyFilter<Value>[]
}

/**
 * Values that need no `{ eq }` around them. An object would read as operators, so JSON columns and arrays do need it.
 */
type Operand<Value> = Value extends string | number | bigint | boolean | Date ? Value : never

type Element<Value> = Value extends readonly (infer Item)[] ? Item : Value
