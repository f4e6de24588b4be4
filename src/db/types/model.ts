import type { GetTableViewColumns, TablesRelationalConfig } from 'drizzle-orm'

/** What `defineRelations` returns: every model of an application by its key. */
export type Models = TablesRelationalConfig

/** The Drizzle columns of the model `T`, by key. */
type ColumnsOf<T extends keyof S, S extends Models> = GetTableViewColumns<S[T]['table']>

/** The keys of the columns of the model `T`. */
export type ColumnKey<T extends keyof S, S extends Models> = keyof ColumnsOf<T, S> & string

/** One row of the model `T` with all its columns and no relation: Drizzle's `$inferSelect`. */
export type ModelRow<T extends keyof S, S extends Models> = S[T]['table'] extends { readonly $inferSelect: infer Row }
  ? Row
  : never

/** What an insert into the model `T` takes: Drizzle's `$inferInsert`, without columns that are generated always. */
export type InsertRow<T extends keyof S, S extends Models> = S[T]['table'] extends { readonly $inferInsert: infer Row }
  ? Row
  : never

/** The relations of the model `T`, by name. */
type RelationsOf<T extends keyof S, S extends Models> = S[T]['relations']

/** The names of all relations of the model `T`. */
export type RelationKey<T extends keyof S, S extends Models> = keyof RelationsOf<T, S> & string

/** Whether the relation `R` of the model `T` is to-one or to-many. */
export type KindOf<T extends keyof S, S extends Models, R extends RelationKey<T, S>> = RelationsOf<
  T,
  S
>[R]['relationType']

/** The names of the to-one relations of the model `T`. */
export type ToOneKey<T extends keyof S, S extends Models> = {
  [K in RelationKey<T, S>]: KindOf<T, S, K> extends 'one' ? K : never
}[RelationKey<T, S>]

/** The key of the model that the relation `R` of the model `T` leads to. */
export type TargetOf<T extends keyof S, S extends Models, R extends RelationKey<T, S>> = RelationsOf<
  T,
  S
>[R]['targetTableName'] &
  keyof S &
  string

/** The key of the model at the end of a dotted path of relations. */
export type TargetAt<T extends keyof S, S extends Models, P extends string> = P extends `${infer Head}.${infer Rest}`
  ? Head extends RelationKey<T, S>
    ? TargetAt<TargetOf<T, S, Head>, S, Rest>
    : never
  : P extends RelationKey<T, S>
    ? TargetOf<T, S, P>
    : never

/** `null` when the to-one relation `R` may be missing, else never. */
export type MissingOf<T extends keyof S, S extends Models, R extends RelationKey<T, S>> = RelationsOf<T, S>[R] extends {
  readonly optional: infer Optional
}
  ? true extends Optional
    ? null
    : never
  : never

/** The type of the values of one column, without null. */
export type ColumnValue<T extends keyof S, S extends Models, K extends ColumnKey<T, S>> = ColumnsOf<T, S>[K] extends {
  readonly _: { readonly data: infer Data }
}
  ? Data
  : unknown

/** Drizzle's name for the kind of values of one column: `string uuid`, `number int32`, `custom` … */
export type ColumnKind<T extends keyof S, S extends Models, K extends ColumnKey<T, S>> = ColumnsOf<T, S>[K] extends {
  readonly _: { readonly dataType: infer Kind }
}
  ? Kind
  : unknown

/**
 * `Type`, which the compiler then prints as what it is made of: printed by its name it would show the whole schema,
 * which is one of its parameters. `T` is any parameter of the type.
 */
export type Unnamed<T, Type> = [T] extends [never] ? never : Type
