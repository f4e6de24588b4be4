import type { Head, Own, Tail } from './paths.ts'
import type { ColumnKey, KindOf, MissingOf, ModelRow, Models, RelationKey, TargetOf } from './model.ts'

/**
 * What a queryset loads beside the columns of its model; the type of its rows follows from it. `Joined`: paths of
 * `selectRelated`. `Prefetched`: paths of `prefetchRelated`. `Only` and `Deferred`: paths of columns. `Refined`: a
 * union of {@link RefinedRelation}.
 */
export interface Loaded<
  out Joined extends string,
  out Prefetched extends string,
  out Only extends string,
  out Deferred extends string,
  out Refined,
> {
  readonly joined: Joined
  readonly prefetched: Prefetched
  readonly only: Only
  readonly deferred: Deferred
  readonly refined: Refined
}

/** Any {@link Loaded}. */
export type AnyLoaded = Loaded<string, string, string, string, unknown>

/** Nothing but the columns of the model. */
export type Plain = Loaded<never, never, never, never, never>

/**
 * A relation that `prefetch` has refined: the property `Name` of the rows at the path `At` (`''`: the rows themselves).
 */
export interface RefinedRelation<out At extends string, out Name extends string, out Value> {
  readonly at: At
  readonly name: Name
  readonly value: Value
}

/** The rows of a queryset on the model `T` that loads `L`. */
export type Row<T extends keyof S, L, S extends Models> =
  L extends Loaded<infer Joined, infer Prefetched, infer Only, infer Deferred, infer Refined>
    ? RowWith<T, S, Joined | Prefetched, Only, Deferred, Refined>
    : never

type RowWith<
  T extends keyof S,
  S extends Models,
  Paths extends string,
  Only extends string,
  Deferred extends string,
  Refined,
> = [Paths | Only | Deferred | Refined] extends [never]
  ? ModelRow<T, S>
  : {
      [
        K in
          | LoadedColumn<ColumnKey<T, S>, Own<Only>, Own<Deferred>>
          | (Head<Paths> & RelationKey<T, S>)
          | NameHere<Refined>
      ]: K extends NameHere<Refined>
        ? ValueHere<Refined, K>
        : K extends Head<Paths> & RelationKey<T, S>
          ? Related<
              T,
              S,
              K,
              RowWith<TargetOf<T, S, K>, S, Tail<Paths, K>, Tail<Only, K>, Tail<Deferred, K>, RefinedBelow<Refined, K>>
            >
          : K extends keyof ModelRow<T, S>
            ? ModelRow<T, S>[K]
            : never
    }

type LoadedColumn<All extends string, Only extends string, Deferred extends string> = Exclude<
  [Only] extends [never] ? All : Only,
  Deferred
>

type NameHere<Refined> = Refined extends RefinedRelation<'', infer Name, unknown> ? Name : never

type ValueHere<Refined, Name> =
  Refined extends RefinedRelation<'', infer Found, infer Value> ? (Found extends Name ? Value : never) : never

type RefinedBelow<Refined, K extends string> =
  Refined extends RefinedRelation<infer At, infer Name, infer Value>
    ? At extends K
      ? RefinedRelation<'', Name, Value>
      : At extends `${K}.${infer Rest}`
        ? RefinedRelation<Rest, Name, Value>
        : never
    : never

/** An array of a to-many relation's rows; a to-one relation's row, or null when the relation may be missing. */
type Related<T extends keyof S, S extends Models, R extends RelationKey<T, S>, Target> =
  KindOf<T, S, R> extends 'many' ? Target[] : Target | MissingOf<T, S, R>

/**
 * The value of the column at the end of a path through to-one relations; null when a relation on the way may be
 * missing.
 */
type ValueAt<T extends keyof S, S extends Models, P extends string> = P extends `${infer First}.${infer Rest}`
  ? First extends RelationKey<T, S>
    ? ValueAt<TargetOf<T, S, First>, S, Rest> | MissingOf<T, S, First>
    : never
  : P extends keyof ModelRow<T, S>
    ? ModelRow<T, S>[P]
    : never

/** The flat records of `values`, keyed by path; all columns of the model when no path is given. */
export type ValuesRow<T extends keyof S, S extends Models, P extends string> = [P] extends [never]
  ? ModelRow<T, S>
  : { [K in P]: ValueAt<T, S, K> }

/** The tuples of `valuesList`; for a single path the values themselves, for none all columns of the model. */
export type ListRow<T extends keyof S, S extends Models, P extends readonly string[]> = P extends readonly [
  infer One extends string,
]
  ? ValueAt<T, S, One>
  : P extends readonly []
    ? ModelRow<T, S>[keyof ModelRow<T, S>][]
    : { -readonly [I in keyof P]: ValueAt<T, S, P[I]> }
