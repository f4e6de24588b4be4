import { compileSelect } from './compile/compile-select.ts'
import { planTagsOf } from './cached/cached-read.ts'
import type { TagKind } from './cached/compile-tags.ts'
import { answerKey } from './cached/plan-key.ts'
import type { Model, ModelGraph } from '../schema/model.ts'
import type { DynamicQuerySet } from './dynamic-queryset.ts'

export { selectFields } from './fields.ts'

/** A queryset without static types, for callers whose paths come from elsewhere. */
export type AnyQuerySet = DynamicQuerySet

/** The queryset behind a typed one: they are the same object. */
export function dynamic(queryset: object): AnyQuerySet {
  return queryset as AnyQuerySet
}

/** The model of a queryset. */
export function modelOf(queryset: AnyQuerySet): Model {
  return queryset.model
}

/** The graph that a queryset's model is part of. */
export function graphOf(queryset: AnyQuerySet): ModelGraph {
  return queryset.context.graph
}

/**
 * The tags of everything that the rows of a queryset depend on, its joins, prefetches, filters and orders included; `count` for how
 * many rows there are. Pages of it depend on nothing else.
 */
export function planTags({ context, shape, bound }: AnyQuerySet, tags: TagKind = 'rows'): readonly string[] {
  return planTagsOf(context, shape, { tags, values: bound })
}

/** A key for something that is made of the rows of a queryset; `kind` says what, and all else that decides it, such as a page. */
export function planKey({ context, shape, bound }: AnyQuerySet, kind: string): string {
  const plan = shape.compiled('select', (spec) => compileSelect(spec, { graph: context.graph }))
  return answerKey(plan, kind, { values: bound, database: context.cache?.database })
}
