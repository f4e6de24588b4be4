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

/** A prefetch on its way down the relations of its path. */
interface Wanted {
  /** The relations that are left. */
  readonly names: readonly string[]
  /** The whole path, for errors. */
  readonly path: string
  readonly leaf: PrefetchLeaf
}

/**
 * Adds the relation at `path` to what a spec loads. Relations before it are those that are joined, then those that are
 * prefetched, added when they are not there yet. What loads a relation whole is one with what refines it.
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

/**
 * Joins a to-one relation. What was prefetched of it before moves to the level of the join.
 *
 * @throws PLIMSOLL_QUERY_INVALID when a prefetch refines the relation, or has its name.
 */
export function addJoin(graph: ModelGraph, spec: QuerySpec, join: RelationPath): QuerySpec {
  return addAll(
    graph,
    { ...spec, joins: [...spec.joins, join], prefetches: [] },
    { prefetches: spec.prefetches, by: 0 },
  )
}

function add(graph: ModelGraph, spec: QuerySpec, { names, path, leaf }: Wanted): QuerySpec {
  if (spec.output.kind !== 'rows') {
    throw refused(spec.model, `'${path}' cannot be loaded into rows of values(): prefetch it from whole rows.`)
  }
  const renamed = leaf.as !== undefined && leaf.as !== names.at(-1)
  const { parent, model, rest } = joinedParent(graph, spec, renamed ? names.slice(0, -1) : names)
  const [name, ...deeper] = [...rest, ...(renamed ? names.slice(-1) : [])]
  if (name === undefined) return addToJoined(graph, spec, { names, path, leaf })
  const relation = relationOf(model, name, path)
  const property = deeper.length === 0 ? (leaf.as ?? name) : name
  const there = spec.prefetches.find((prefetch) => prefetch.parent.path === parent.path && prefetch.name === property)
  if (!there || there.relation !== relation) checkProperty(spec, { parent, model, property, there })
  const all = { parent, relation, name: property, spec: allRows(targetOf(graph, relation)), firstSlot: leaf.firstSlot }
  if (deeper.length === 0) {
    const added = { ...all, spec: leaf.spec ?? all.spec }
    return withPrefetch(spec, there ? merged(graph, model, [there, added]) : added, there)
  }
  const base = there ?? all
  const inner = { ...leaf, firstSlot: leaf.firstSlot - base.firstSlot }
  return withPrefetch(spec, { ...base, spec: add(graph, base.spec, { names: deeper, path, leaf: inner }) }, there)
}

/** What a prefetch of a relation that is joined adds to the join: the relations that it loads in turn. */
function addToJoined(graph: ModelGraph, spec: QuerySpec, { names, path, leaf }: Wanted): QuerySpec {
  if (leaf.spec === undefined) return spec
  if (isRefined(leaf.spec)) {
    throw refused(
      spec.model,
      `'${path}' of '${spec.model.key}' is joined by selectRelated, and refined by a prefetch: leave it out of selectRelated, or give the prefetch another name with { as }.`,
    )
  }
  return addAll(graph, spec, { prefetches: leaf.spec.prefetches, by: leaf.firstSlot, below: names })
}

/** Two prefetches of one relation under one name as one. */
function merged(graph: ModelGraph, model: Model, [there, added]: readonly [PrefetchSpec, PrefetchSpec]): PrefetchSpec {
  if (isRefined(there.spec) && isRefined(added.spec)) throw taken(model, added.name, 'is prefetched already')
  const [base, whole] = isRefined(added.spec) ? [added, there] : [there, added]
  const by = whole.firstSlot - base.firstSlot
  return { ...base, spec: addAll(graph, base.spec, { prefetches: whole.spec.prefetches, by }) }
}

/** Adds prefetches of another spec, whose slots begin `by` after those of `spec`, from the level `below`. */
function addAll(
  graph: ModelGraph,
  spec: QuerySpec,
  { prefetches, by, below = [] }: { prefetches: readonly PrefetchSpec[]; by: number; below?: readonly string[] },
): QuerySpec {
  return prefetches.reduce((sofar, { parent, relation, name, spec: rows, firstSlot }) => {
    const names = [...below, ...parent.relations.map((hop) => hop.name), relation.name]
    return add(graph, sofar, {
      names,
      path: names.join('.'),
      leaf: { as: name, spec: rows, firstSlot: firstSlot + by },
    })
  }, spec)
}

/** The longest joined start of a path, the model there, and the names after it. */
function joinedParent(
  graph: ModelGraph,
  spec: QuerySpec,
  names: readonly string[],
): { parent: RelationPath; model: Model; rest: readonly string[] } {
  const relations: Relation[] = []
  let model = spec.model
  for (const [at, name] of names.entries()) {
    const path = names.slice(0, at + 1).join('.')
    if (!isJoined(spec, path)) break
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

function isJoined(spec: QuerySpec, path: string): boolean {
  return spec.joins.some((join) => join.path === path || join.path.startsWith(`${path}.`))
}

/** True when a prefetch says more of its rows than what else to load for them. */
function isRefined(spec: QuerySpec): boolean {
  return (
    spec.conditions.length + spec.order.length + spec.joins.length + spec.columns.size > 0 ||
    spec.limit !== undefined ||
    spec.offset !== undefined ||
    spec.distinct !== undefined ||
    spec.output.kind !== 'rows'
  )
}

function withPrefetch(spec: QuerySpec, prefetch: PrefetchSpec, instead?: PrefetchSpec): QuerySpec {
  const prefetches = instead
    ? spec.prefetches.map((other) => (other === instead ? prefetch : other))
    : [...spec.prefetches, prefetch]
  return { ...spec, prefetches }
}

function checkProperty(
  spec: QuerySpec,
  {
    parent,
    model,
    property,
    there,
  }: { parent: RelationPath; model: Model; property: string; there: PrefetchSpec | undefined },
): void {
  if (there) throw taken(model, property, `is prefetched already, from '${there.relation.name}'`)
  if (model.columns.has(property)) throw taken(model, property, 'is a column')
  const path = parent.path === '' ? property : `${parent.path}.${property}`
  if (isJoined(spec, path)) throw taken(model, property, 'is joined by selectRelated')
}

function taken(model: Model, property: string, why: string): PlimsollError {
  return refused(
    model,
    `'${property}' of '${model.key}' ${why}; give the prefetch another name with { as }. Columns are ${listNames(model.columns.keys())}.`,
  )
}

function refused(model: Model, message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_QUERY_INVALID', message, { details: { model: model.key } })
}
