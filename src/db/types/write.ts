import type { SQL } from 'drizzle-orm'
import type { ColumnKey, InsertRow, ModelRow, Models, Unnamed } from './model.ts'

/**
 * What `update` sets: values, or SQL over the columns of the table. Columns that are generated always cannot be set.
 */
export type Changes<T extends keyof S, S extends Models> = Unnamed<
  T,
  { readonly [K in keyof InsertRow<T, S> & keyof ModelRow<T, S>]?: ModelRow<T, S>[K] | SQL }
>

/**
 * A row for `updateMany`: its primary key and the columns to set. Drizzle's types do not say what the primary key is,
 * so `id` is asked for where there is one, and the rest is checked when it runs.
 */
export type KeyedChanges<T extends keyof S, S extends Models> = 'id' extends keyof ModelRow<T, S>
  ? { readonly id: ModelRow<T, S>['id'] } & { readonly [K in Exclude<keyof ModelRow<T, S>, 'id'>]?: ModelRow<T, S>[K] }
  : { readonly [K in keyof ModelRow<T, S>]?: ModelRow<T, S>[K] }

/** What to do with a row that a unique key refuses: leave it out, or update the row that is there. */
export type OnConflict<T extends keyof S, S extends Models> =
  | 'ignore'
  | {
      /** The columns of the unique key. */
      readonly target: readonly ColumnKey<T, S>[]
      /**
       * The columns to overwrite with the new row's; `'all'` is every column that was given, but for the target and the
       * primary key. `$onUpdate` columns are set as by any update.
       */
      readonly update: readonly ColumnKey<T, S>[] | 'all'
    }

/** The options of `createMany`. */
export interface CreateManyOptions<T extends keyof S, S extends Models> {
  /** Default: the error PLIMSOLL_CONSTRAINT_VIOLATED. */
  readonly onConflict?: OnConflict<T, S> | undefined
}
