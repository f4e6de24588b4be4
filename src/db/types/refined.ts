import type { KindOf, Models, RelationKey, TargetOf } from './model.ts'
import type { RelationPath } from './paths.ts'
import type { RefinedRelation } from './row.ts'

/** Carries the types of a {@link Prefetch}; it has no value. */
declare const owner: unique symbol
/** Carries the types of a {@link Prefetch}; it has no value. */
declare const loads: unique symbol

/** Any `prefetch(…)` of a relation of the model `T`. */
export interface PrefetchFor<out T, out S> {
  readonly [owner]: { readonly model: T; readonly models: S }
}

/** A relation at the path `P` of the model `T` that is loaded under the name `As` with rows of the type `R`. */
export interface Prefetch<out T, out P extends string, out As extends string, out R, out S> extends PrefetchFor<T, S> {
  readonly [loads]: { readonly path: P; readonly as: As; readonly row: R }
}

/** One argument of `prefetchRelated` that is a path: itself when it is right, or what would be right; see paths.ts. */
export type PrefetchPath<T extends keyof S & string, S extends Models, Item> = Item extends string
  ? RelationPath<T, S, Item>
  : never

/** The paths that an argument of `prefetchRelated` loads whole: a plain path, or what is above a refined relation. */
export type PrefetchedPath<Item> = Item extends string
  ? Item
  : Item extends Prefetch<unknown, infer P, string, unknown, unknown>
    ? Parent<P, never>
    : never

/** The refined relation that an argument of `prefetchRelated` loads. */
export type RefinedBy<T extends keyof S & string, S extends Models, Item> =
  Item extends Prefetch<unknown, infer P, infer As, infer R, unknown>
    ? RefinedRelation<Parent<P, ''>, As, Refined<T, S, P, R>>
    : never

/** `author` of `author.posts`; `None` when there is but one name. */
type Parent<P extends string, None extends string> = P extends `${infer First}.${infer Rest}`
  ? Rest extends `${string}.${string}`
    ? `${First}.${Parent<Rest, never>}`
    : First
  : None

type Refined<T extends keyof S, S extends Models, P extends string, R> = P extends `${infer First}.${infer Rest}`
  ? First extends RelationKey<T, S>
    ? Refined<TargetOf<T, S, First>, S, Rest, R>
    : never
  : P extends RelationKey<T, S>
    ? KindOf<T, S, P> extends 'many'
      ? R[]
      : R | null
    : never
