import { listNames, PlimsollError } from '../core/errors.ts'
import type { Column, Model, ModelGraph, Relation } from '../schema/model.ts'
import type { FieldPath, RelationPath } from './spec.ts'

/** The longest path that is followed, in hops; beyond it a path is refused rather than joined. */
const maxHops = 8

/** The target of a relation. */
export function targetOf(graph: ModelGraph, relation: Relation): Model {
  return graph.models.get(relation.target)!
}

/** The column `key` of `model`. @throws PLIMSOLL_FIELD_UNKNOWN listing the columns. */
export function columnOf(model: Model, key: string, path: string = key): Column {
  const column = model.columns.get(key)
  if (column) return column
  const hint = model.relations.has(key)
    ? ` ('${key}' is a relation: name one of its columns, such as '${path}.id')`
    : ''
  throw new PlimsollError(
    'PLIMSOLL_FIELD_UNKNOWN',
    `Unknown field '${path}' on '${model.key}'${hint}; its fields are ${listNames(model.columns.keys())}.`,
    { details: { model: model.key, field: path, allowed: [...model.columns.keys()] } },
  )
}

/** The relation `name` of `model`. @throws PLIMSOLL_RELATION_UNKNOWN listing the relations. */
export function relationOf(model: Model, name: string, path: string = name): Relation {
  const relation = model.relations.get(name)
  if (relation) return relation
  throw new PlimsollError(
    'PLIMSOLL_RELATION_UNKNOWN',
    `Unknown relation '${path}' on '${model.key}'; its relations are ${listNames(model.relations.keys())}.`,
    { details: { model: model.key, relation: path, allowed: [...model.relations.keys()] } },
  )
}

/** Follows a dotted path of relations. `toOne` refuses to-many hops, naming `prefetchRelated` as the way. */
export function resolveRelations(
  graph: ModelGraph,
  model: Model,
  path: string,
  { toOne = false }: { toOne?: boolean } = {},
): RelationPath {
  const names = path.split('.')
  if (names.length > maxHops) {
    throw new PlimsollError('PLIMSOLL_RELATION_UNKNOWN', `The path '${path}' has more than ${maxHops} hops.`)
  }
  let at = model
  const relations = names.map((name) => {
    const relation = relationOf(at, name, path)
    if (toOne && relation.kind === 'many') {
      throw new PlimsollError(
        'PLIMSOLL_RELATION_UNKNOWN',
        `'${path}' passes through '${at.key}.${name}', which is to-many and would multiply the rows; load it with prefetchRelated.`,
        { details: { model: model.key, relation: path } },
      )
    }
    at = targetOf(graph, relation)
    return relation
  })
  return { path, relations }
}

/** Follows a dotted path of to-one relations to a column. */
export function resolveField(graph: ModelGraph, model: Model, path: string): FieldPath {
  const dot = path.lastIndexOf('.')
  if (dot < 0) return { path, relations: [], column: columnOf(model, path) }
  const { relations } = resolveRelations(graph, model, path.slice(0, dot), { toOne: true })
  const target = targetOf(graph, relations.at(-1)!)
  return { path, relations, column: columnOf(target, path.slice(dot + 1), path) }
}
