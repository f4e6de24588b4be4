import type { ColumnKey, Models, RelationKey, KindOf, TargetOf, ToOneKey } from './model.ts'

/*
 * Each type here checks the path `P` hop by hop and gives `P` itself when it is right. When it is wrong it gives what
 * would be right at the hop that is wrong, which the compiler then prints and an editor offers; or, where a list of
 * names would not help, one sentence of advice as a literal type. Only the hops that were written are looked at, so
 * neither the depth of a path nor the size of the schema is limited.
 *
 * The exported types compare first (`P extends …Hop ? P : …Hop`) because the compiler infers a path from the plain `P`
 * there.
 */

/**
 * `Before` and each of `Names`. Taking the mark off again makes a new union, which the compiler prints as its members
 * and not as the name of the type that first made it.
 */
type Suggest<Before extends string, Names extends string> = `>${Before}${Names}` extends infer Marked
  ? Marked extends `>${infer Name}`
    ? Name
    : never
  : never

/** The first name of each path. */
export type Head<P extends string> = P extends `${infer First}.${string}` ? First : P

/** What follows `First.` in those paths that begin so. */
export type Tail<P extends string, First extends string> = P extends `${First}.${infer Rest}` ? Rest : never

/** Those paths that are a single name. */
export type Own<P extends string> = P extends `${string}.${string}` ? never : P

/** `author` or `author.company`: to-one relations only, for `selectRelated`. */
export type ToOnePath<T extends keyof S, S extends Models, P extends string> =
  P extends ToOneHop<T, S, P, ''> ? P : NoInfer<ToOneHop<T, S, P, ''>>

type ToOneHop<
  T extends keyof S,
  S extends Models,
  P extends string,
  Before extends string,
> = P extends `${infer First}.${infer Rest}`
  ? First extends RelationKey<T, S>
    ? KindOf<T, S, First> extends 'one'
      ? ToOneHop<TargetOf<T, S, First>, S, Rest, `${Before}${First}.`>
      : `'${Before}${First}' is to-many: load it with prefetchRelated`
    : NotToOne<T, S, First, Before>
  : P extends RelationKey<T, S>
    ? KindOf<T, S, P> extends 'one'
      ? `${Before}${P}`
      : `'${Before}${P}' is to-many: load it with prefetchRelated`
    : NotToOne<T, S, P, Before>

type NotToOne<T extends keyof S, S extends Models, Name extends string, Before extends string> =
  Name extends ColumnKey<T, S>
    ? `'${Before}${Name}' is a column, not a relation`
    : [ToOneKey<T, S>] extends [never]
      ? `'${T & string}' has no to-one relation`
      : Suggest<Before, ToOneKey<T, S>>

/** `comments` or `author.posts`: relations of both kinds, for `prefetchRelated`. */
export type RelationPath<T extends keyof S, S extends Models, P extends string> =
  P extends RelationHop<T, S, P, ''> ? P : NoInfer<RelationHop<T, S, P, ''>>

type RelationHop<
  T extends keyof S,
  S extends Models,
  P extends string,
  Before extends string,
> = P extends `${infer First}.${infer Rest}`
  ? First extends RelationKey<T, S>
    ? RelationHop<TargetOf<T, S, First>, S, Rest, `${Before}${First}.`>
    : NotRelation<T, S, First, Before>
  : P extends RelationKey<T, S>
    ? `${Before}${P}`
    : NotRelation<T, S, P, Before>

type NotRelation<T extends keyof S, S extends Models, Name extends string, Before extends string> =
  Name extends ColumnKey<T, S>
    ? `'${Before}${Name}' is a column, not a relation`
    : [RelationKey<T, S>] extends [never]
      ? `'${T & string}' has no relations`
      : Suggest<Before, RelationKey<T, S>>

/** `title` or `author.company.name`: a column, through to-one relations, for `values` and `valuesList`. */
export type FieldPath<T extends keyof S, S extends Models, P extends string> =
  P extends FieldHop<T, S, P, ''> ? P : NoInfer<FieldHop<T, S, P, ''>>

type FieldHop<
  T extends keyof S,
  S extends Models,
  P extends string,
  Before extends string,
> = P extends `${infer First}.${infer Rest}`
  ? First extends RelationKey<T, S>
    ? KindOf<T, S, First> extends 'one'
      ? FieldHop<TargetOf<T, S, First>, S, Rest, `${Before}${First}.`>
      : `'${Before}${First}' is to-many: one row has many of them`
    : SuggestFields<T, S, Before>
  : P extends ColumnKey<T, S>
    ? `${Before}${P}`
    : NotField<T, S, P, Before>

type NotField<T extends keyof S, S extends Models, Name extends string, Before extends string> =
  Name extends RelationKey<T, S>
    ? KindOf<T, S, Name> extends 'one'
      ? NamesRelation<T, S, Name, Before>
      : `'${Before}${Name}' is to-many: one row has many of them`
    : SuggestFields<T, S, Before>

type SuggestFields<T extends keyof S, S extends Models, Before extends string> = Suggest<
  Before,
  ColumnKey<T, S> | `${ToOneKey<T, S>}.`
>

/** The advice for a relation that stands where a column is wanted. */
type NamesRelation<
  T extends keyof S,
  S extends Models,
  R extends RelationKey<T, S>,
  Before extends string,
> = `'${Before}${R}' is a relation: name one of its columns, such as '${Before}${R}.${SampleColumn<TargetOf<T, S, R>, S>}'`

/** The `id` of a model, or whatever it has. */
type SampleColumn<T extends keyof S, S extends Models> = 'id' extends ColumnKey<T, S> ? 'id' : ColumnKey<T, S>

/** One argument of `orderBy`: a {@link FieldPath}, with `-` before it for descending, or an {@link OrderKey}. */
export type OrderItem<T extends keyof S, S extends Models, Item> = Item extends string
  ? Item extends OrderHop<T, S, Item>
    ? Item
    : NoInfer<OrderHop<T, S, Item>>
  : NoInfer<
      OrderKey<Item extends { readonly by: infer By extends string } ? FieldPath<T, S, By> : FieldHop<T, S, '', ''>>
    >

type OrderHop<T extends keyof S, S extends Models, P extends string> = P extends `-${infer Path}`
  ? FieldHop<T, S, Path, '-'>
  : FieldHop<T, S, P, ''>

/** An order by one column, in full. */
export interface OrderKey<out Path extends string> {
  readonly by: Path
  /** Default `'asc'`. */
  readonly direction?: 'asc' | 'desc' | undefined
  /** Default `'last'`, in both directions: as in the indexes that Drizzle makes of `.asc()` and `.desc()`. */
  readonly nulls?: 'first' | 'last' | undefined
}

/** `title`, or `author.name` when `Joined` holds `author`, for `only` and `defer`. */
export type LoadedPath<T extends keyof S, S extends Models, Joined extends string, P extends string> =
  P extends LoadedHop<T, S, Joined, P, ''> ? P : NoInfer<LoadedHop<T, S, Joined, P, ''>>

type LoadedHop<
  T extends keyof S,
  S extends Models,
  Joined extends string,
  P extends string,
  Before extends string,
> = P extends `${infer First}.${infer Rest}`
  ? First extends RelationKey<T, S>
    ? First extends Head<Joined>
      ? LoadedHop<TargetOf<T, S, First>, S, Tail<Joined, First>, Rest, `${Before}${First}.`>
      : NotLoaded<T, S, First, Before>
    : SuggestLoaded<T, S, Joined, Before>
  : P extends ColumnKey<T, S>
    ? `${Before}${P}`
    : P extends RelationKey<T, S>
      ? NotField<T, S, P, Before>
      : SuggestLoaded<T, S, Joined, Before>

type SuggestLoaded<T extends keyof S, S extends Models, Joined extends string, Before extends string> = Suggest<
  Before,
  ColumnKey<T, S> | `${Head<Joined>}.`
>

type NotLoaded<T extends keyof S, S extends Models, R extends RelationKey<T, S>, Before extends string> =
  KindOf<T, S, R> extends 'one'
    ? `'${Before}${R}' is not loaded: add selectRelated('${Before}${R}') before`
    : `'${Before}${R}' is to-many: narrow it with prefetch('${Before}${R}', (rows) => rows.only(…))`

/**
 * `title`, `author.name` or `comments.author.name`: a column, through relations of any kind, for the fields of a
 * resource.
 */
export type AnyFieldPath<T extends keyof S, S extends Models, P extends string> =
  P extends AnyFieldHop<T, S, P, ''> ? P : NoInfer<AnyFieldHop<T, S, P, ''>>

type AnyFieldHop<
  T extends keyof S,
  S extends Models,
  P extends string,
  Before extends string,
> = P extends `${infer First}.${infer Rest}`
  ? First extends RelationKey<T, S>
    ? AnyFieldHop<TargetOf<T, S, First>, S, Rest, `${Before}${First}.`>
    : Suggest<Before, ColumnKey<T, S> | `${RelationKey<T, S>}.`>
  : P extends ColumnKey<T, S>
    ? `${Before}${P}`
    : P extends RelationKey<T, S>
      ? NamesRelation<T, S, P, Before>
      : Suggest<Before, ColumnKey<T, S> | `${RelationKey<T, S>}.`>
