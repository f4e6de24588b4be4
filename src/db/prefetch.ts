import { listNames, PlimsollError } from '../core/errors.ts'
import type { Model, ModelGraph, Relation } from '../schema/model.ts'
import { relationOf, targetOf } from './paths.ts'
import { allRows, type PrefetchSpec, type QuerySpec, type RelationPath } from './spec.ts'
import type { PrefetchFunction } from './types/prefetch.ts'

/** A relation to prefetch with the callback that refines its rows; made by {@link prefetch}. */
export class RefinedPrefetch {
  readonly path: string
  readonly refine: (rows: never) => unknown
  readonly as: string | undefined

  constructor(path: string, refine: (rows: never) => unknown, as: string | undefined) {
    this.path = path
    this.refine = refine
    this.as = as
  }
}

/**
 * A relation for `prefetchRelated` whose rows are filtered, ordered, limited (per parent) or narrowed; `as` loads it under
 * another name, so that one relation can be loaded in several ways.
 *
 * @example
 * db.posts.prefetchRelated(prefetch('comments', (c) => c.filter({ approved: true }).orderBy('-createdAt').limit(3)))
 */
export const prefetch: PrefetchFunction = ((
  path: string,
  refine: (rows: never) => unknown,
  options: { as?: string } = {},
) => new RefinedPrefetch(path, refine, options.as)) as unknown as PrefetchFunction

/** What a path of `prefetchRelated` ends in. */
export interface PrefetchLeaf {
  /** The property; the relation's name unless renamed. */
  readonly as: string | undefined
  /** How its rows are refined; undefined for all rows. */
  readonly spec: QuerySpec | undefined
  /** Where the values of `spec` begin among the values of the outermost queryset. */
  readonly firstSlot: number
}

/**
 * Adds the relation at `path` to what a spec loads. Relations before it are those that are joined, then those that are
 * prefetched, added when they are not there yet.
 *
 * @throws PLIMSOLL_RELATION_UNKNOWN, PLIMSOLL_QUERY_INVALID when the property is taken.
 */
export function addPrefetch(
  graph: ModelGraph,
  spec: QuerySpec,
  { path, leaf }: { path: string; leaf: PrefetchLeaf },
): QuerySpec {
  return add(graph, spec, { names: path.split('.'), path, leaf })
}

function add(
  graph: ModelGraph,
  spec: QuerySpec,
  { names, path, leaf }: { names: readonly string[]; path: string; leaf: PrefetchLeaf },
): QuerySpec {
  const { parent, model, rest } = joinedParent(graph, spec, names)
  const [name, ...deeper] = rest
  if (name === undefined) return spec
  const relation = relationOf(model, name, path)
  const property = deeper.length === 0 ? (leaf.as ?? name) : name
  const there = spec.prefetches.find((prefetch) => prefetch.parent.path === parent.path && prefetch.name === property)
  if (deeper.length === 0) {
    if (there && leaf.spec === undefined && there.relation === relation) return spec
    if (there && there.relation === relation && isUnrefined(there.spec)) {
      const nested = moveSlots(there.spec.prefetches, there.firstSlot - leaf.firstSlot)
      const refined = leaf.spec!
      return withPrefetch(
        spec,
        { ...there, firstSlot: leaf.firstSlot, spec: { ...refined, prefetches: [...refined.prefetches, ...nested] } },
        there,
      )
    }
    checkProperty(model, property, there)
    const rows = leaf.spec ?? allRows(targetOf(graph, relation))
    return withPrefetch(spec, { parent, relation, name: property, spec: rows, firstSlot: leaf.firstSlot })
  }
  const base = there ?? { parent, relation, name, spec: allRows(targetOf(graph, relation)), firstSlot: leaf.firstSlot }
  const inner = { ...leaf, firstSlot: leaf.firstSlot - base.firstSlot }
  return withPrefetch(spec, { ...base, spec: add(graph, base.spec, { names: deeper, path, leaf: inner }) }, there)
}

/** The longest joined start of a path, the model there, and the names after it. */
function joinedParent(
  graph: ModelGraph,
  spec: QuerySpec,
  names: readonly string[],
): { parent: RelationPath; model: Model; rest: readonly string[] } {
  const paths = new Set(spec.joins.flatMap((join) => prefixes(join.path)))
  const relations: Relation[] = []
  let model = spec.model
  for (const [at, name] of names.entries()) {
    const path = names.slice(0, at + 1).join('.')
    if (!paths.has(path)) break
    const relation = relationOf(model, name, path)
    relations.push(relation)
    model = targetOf(graph, relation)
  }
  return {
    parent: { path: names.slice(0, relations.length).join('.'), relations },
    model,
    rest: names.slice(relations.length),
  }
}

function prefixes(path: string): string[] {
  const names = path.split('.')
  return names.map((_, i) => names.slice(0, i + 1).join('.'))
}

/** Moves prefetches of a relation that is joined after all to the level of the join. */
export function prefetchesAfterJoin(spec: QuerySpec, joined: RelationPath): QuerySpec {
  const names = new Set(prefixes(joined.path))
  const moved = spec.prefetches.flatMap((prefetch): PrefetchSpec[] => {
    const path = prefetch.parent.path === '' ? prefetch.name : `${prefetch.parent.path}.${prefetch.name}`
    if (!names.has(path) || prefetch.name !== prefetch.relation.name || !isUnrefined(prefetch.spec)) return [prefetch]
    const relations = [...prefetch.parent.relations, prefetch.relation]
    const deeper = moveSlots(prefetch.spec.prefetches, prefetch.firstSlot)
    return deeper.map((inner) => ({ ...inner, parent: { path, relations } }))
  })
  return { ...spec, prefetches: moved }
}

function moveSlots(prefetches: readonly PrefetchSpec[], by: number): PrefetchSpec[] {
  return prefetches.map((prefetch) => ({ ...prefetch, firstSlot: prefetch.firstSlot + by }))
}

function isUnrefined(spec: QuerySpec): boolean {
  return (
    spec.conditions.length + spec.order.length + spec.joins.length + spec.columns.size === 0 && spec.limit === undefined
  )
}

function withPrefetch(spec: QuerySpec, prefetch: PrefetchSpec, instead?: PrefetchSpec): QuerySpec {
  const prefetches = instead
    ? spec.prefetches.map((other) => (other === instead ? prefetch : other))
    : [...spec.prefetches, prefetch]
  return { ...spec, prefetches }
}

function checkProperty(model: Model, property: string, there: PrefetchSpec | undefined): void {
  const taken = there ? 'is prefetched already' : model.columns.has(property) ? 'is a column' : undefined
  if (taken === undefined) return
  throw new PlimsollError(
    'PLIMSOLL_QUERY_INVALID',
    `'${property}' of '${model.key}' ${taken}; give the prefetch another name with { as }. Columns are ${listNames(model.columns.keys())}.`,
  )
}
