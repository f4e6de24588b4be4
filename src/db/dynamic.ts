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
