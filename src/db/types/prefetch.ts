import type { Models, TargetAt } from './model.ts'
import type { RelationPath } from './paths.ts'
import type { QuerySet, RowsOf } from './queryset.ts'
import type { Prefetch } from './refined.ts'
import type { Plain } from './row.ts'

/** The options of `prefetch`. */
export interface PrefetchOptions<As extends string> {
  /** The property of the row. Default: the name of the relation. */
  readonly as?: As | undefined
}

/**
 * The type of the function `prefetch`: a relation whose rows `refine` filters, orders, limits (per parent) or narrows.
 * The model comes from where the result is used, so write it inside `prefetchRelated(…)`. A to-one relation may be null
 * in the result, since a filter may leave its row out.
 *
 * @example
 * db.posts.prefetchRelated(prefetch('comments', (c) => c.filter({ approved: true }).limit(3), { as: 'latest' }))
 */
export interface PrefetchFunction {
  <T extends keyof S & string, S extends Models, const P extends string, R, const As extends string = LastName<P>>(
    path: RelationPath<T, S, P>,
    refine: (rows: QuerySet<TargetAt<T, S, P> & string, Plain, S>) => RowsOf<TargetAt<T, S, P>, R>,
    options?: PrefetchOptions<As>,
  ): Prefetch<T, P, As, R, S>
}

type LastName<P extends string> = P extends `${string}.${infer Rest}` ? LastName<Rest> : P
