import type { Column, Model, Relation } from '../schema/model.ts'
import type { Condition } from './filter/condition.ts'

/**
 * What a queryset describes, without the values: those travel beside it as an array, and a condition names its value by
 * its position there (a *slot*). Two querysets of the same shape share one spec, and so one compiled plan. Frozen.
 */
export interface QuerySpec {
  readonly model: Model
  /** All must hold. */
  readonly conditions: readonly Condition[]
  readonly order: readonly OrderKey[]
  /** To-one relations to load by JOIN, each a path from the model. */
  readonly joins: readonly RelationPath[]
  readonly prefetches: readonly PrefetchSpec[]
  /** Which columns to load, by path of the level ('' for the model itself); a level that is missing loads all. */
  readonly columns: ReadonlyMap<string, ColumnChoice>
  readonly output: Output
  /** A literal in the SQL text: a parameter would keep PostgreSQL from using a generic plan. */
  readonly limit: number | undefined
  /** The slot of the offset. */
  readonly offset: number | undefined
  readonly distinct: readonly FieldPath[] | 'all' | undefined
}

export interface ColumnChoice {
  readonly mode: 'only' | 'defer'
  readonly keys: ReadonlySet<string>
}

/** Rows as objects with nested relations, as flat records keyed by path, or as arrays. */
export type Output =
  | { readonly kind: 'rows' }
  | { readonly kind: 'values' | 'list'; readonly fields: readonly FieldPath[] }

/** Relations to follow from a model, in order. */
export interface RelationPath {
  /** `author.company` */
  readonly path: string
  readonly relations: readonly Relation[]
}

/** A column at the end of to-one relations. */
export interface FieldPath {
  /** `author.company.name` */
  readonly path: string
  readonly relations: readonly Relation[]
  readonly column: Column
}

export interface OrderKey extends FieldPath {
  readonly descending: boolean
  readonly nulls: 'first' | 'last'
}

/** A relation to load with a statement of its own. */
export interface PrefetchSpec {
  /** To-one relations up to the level that holds the relation. */
  readonly parent: RelationPath
  readonly relation: Relation
  /** The property of the row; the relation's name unless renamed by `as`. */
  readonly name: string
  readonly spec: QuerySpec
  /** Where the values of `spec` begin among the values of the queryset that holds this prefetch. */
  readonly firstSlot: number
}

/** The spec of every row of a model with all its columns. */
export function allRows(model: Model): QuerySpec {
  return {
    model,
    conditions: [],
    order: [],
    joins: [],
    prefetches: [],
    columns: new Map(),
    output: { kind: 'rows' },
    limit: undefined,
    offset: undefined,
    distinct: undefined,
  }
}
