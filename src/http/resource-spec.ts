import { listNames, PlimsollError, showValue } from '../core/errors.ts'
import { graphOf, modelOf, selectFields, type AnyQuerySet } from '../db/dynamic.ts'
import { resolveField } from '../db/paths.ts'
import type { Total } from '../db/types/result.ts'
import type { Column, Model, ModelGraph } from '../schema/model.ts'
import { readCachePolicy, type CachePolicy } from './caching/cache-policy.ts'
import { fieldAt, type FieldAt } from './field-path.ts'
import { isOrderable, operatorsOf, type FilterOperator } from './filter-operators.ts'
import { readPathParameters, type PathParameter } from './path-parameters.ts'
import type { ResourceChoices } from './resource-options.ts'

/** A field that clients may filter by. */
export interface FilterField extends FieldAt {
  readonly operators: readonly FilterOperator[]
}

/** The options of a resource, checked against its model and with their defaults. Frozen. */
export interface ResourceSpec {
  /** As Fastify has it, with the prefixes of plugins around it: `/videos/:videoId/comments`. */
  readonly path: string
  readonly name: string
  readonly description: string | undefined
  readonly graph: ModelGraph
  readonly model: Model
  /** The rows of the resource in its own order. */
  readonly queryset: AnyQuerySet
  readonly fields: readonly string[]
  readonly fieldSet: ReadonlySet<string>
  readonly filters: ReadonlyMap<string, FilterField>
  readonly orders: ReadonlySet<string>
  /** The names of the parameters that a list takes, beside its filters. */
  readonly parameters: readonly string[]
  readonly size: { readonly default: number; readonly max: number }
  readonly pagination: 'cursor' | 'page' | 'both'
  readonly maxDepth: number
  readonly maxFilters: number
  readonly totals: readonly Total[]
  readonly pathParameters: readonly PathParameter[]
  /** The columns that the path of one row gives; undefined when there is no such path. */
  readonly detail: readonly Column[] | undefined
  /** How answers are kept; undefined when they are not. */
  readonly cache: CachePolicy | undefined
}

/**
 * Checks the options of a resource and works out its defaults. `path` is the whole path of the list, prefixes included.
 *
 * @throws PLIMSOLL_FIELD_UNKNOWN, PLIMSOLL_RELATION_UNKNOWN, PLIMSOLL_OPTION_INVALID
 */
export function defineResource(
  path: string,
  queryset: AnyQuerySet,
  options: ResourceChoices & { readonly scope?: unknown },
): ResourceSpec {
  const graph = graphOf(queryset)
  const model = modelOf(queryset)
  checkQuerySet(path, queryset, model)
  if (!Array.isArray(options.fields) || options.fields.length === 0) {
    throw invalid(
      path,
      'fields',
      `needs 'fields', the paths to answer with; '${model.key}' has ${listNames(model.columns.keys())}`,
    )
  }
  // Resolves every path, so that a wrong one is an error now and not at the first request.
  selectFields(queryset, options.fields)
  const pagination = oneOf(path, 'pagination', options.pagination ?? 'both', ['cursor', 'page', 'both'] as const)
  const totals = readTotals(path, options.totals ?? true)
  const max = whole(path, 'size.max', options.size?.max ?? Math.max(100, options.size?.default ?? 0))
  const size = { default: whole(path, 'size.default', options.size?.default ?? Math.min(20, max)), max }
  if (size.default > size.max)
    throw invalid(path, 'size', `has size.default ${size.default} above size.max ${size.max}`)
  const orders = (options.orders ?? []).map((order) => checkOrder(path, order, { graph, model }))
  return Object.freeze<ResourceSpec>({
    path,
    name: options.name ?? lastWord(path, model),
    description: options.description,
    graph,
    model,
    queryset: options.defaultOrder === undefined ? queryset : queryset.orderBy(...[options.defaultOrder].flat()),
    fields: Object.freeze([...new Set(options.fields)]),
    fieldSet: new Set(options.fields),
    filters: new Map((options.filters ?? []).map((filter) => [filter, filterField(graph, model, filter)])),
    orders: new Set(orders),
    parameters: Object.freeze([
      'fields',
      ...(orders.length > 0 ? ['order'] : []),
      'size',
      ...(pagination === 'page' ? [] : ['after', 'before']),
      ...(pagination === 'cursor' ? [] : ['page']),
      ...(totals.length > 0 ? ['total'] : []),
    ]),
    size,
    pagination,
    maxDepth: whole(path, 'maxDepth', options.maxDepth ?? 100_000),
    maxFilters: whole(path, 'maxFilters', options.maxFilters ?? 20),
    totals,
    pathParameters: readPathParameters(path, { graph, model, parent: options.parent }),
    detail: detailColumns(path, model, options.detail ?? true),
    cache: readCachePolicy(path, options.cache, { scoped: options.scope !== undefined }),
  })
}

/** `fields` decides what is loaded and `size` how much: a queryset that says so too would show what no field names. */
function checkQuerySet(path: string, queryset: AnyQuerySet, model: Model): void {
  const { joins, prefetches, output, limit, offset, distinct } = queryset.shape.spec
  const loads = joins.length > 0 || prefetches.length > 0 || output.kind !== 'rows'
  if (loads) {
    throw invalid(
      path,
      'queryset',
      `takes a queryset without selectRelated, prefetchRelated and values: list those paths in 'fields'`,
    )
  }
  if (limit !== undefined || offset !== undefined || distinct !== undefined) {
    throw invalid(
      path,
      'queryset',
      `takes a queryset without limit, offset and distinct: its pages have bounds of their own`,
    )
  }
  if (model.primaryKey.length === 0) {
    throw invalid(path, 'queryset', `needs a primary key to page by, and '${model.key}' has none: add one to the table`)
  }
}

function filterField(graph: ModelGraph, model: Model, path: string): FilterField {
  const field = fieldAt(graph, model, path)
  return { ...field, operators: operatorsOf(field.column) }
}

function checkOrder(path: string, order: string, { graph, model }: { graph: ModelGraph; model: Model }): string {
  if (isOrderable(resolveField(graph, model, order).column)) return order
  throw invalid(path, 'orders', `cannot order by '${order}': its type has no order in PostgreSQL`)
}

function detailColumns(
  path: string,
  model: Model,
  detail: NonNullable<ResourceChoices['detail']>,
): ResourceSpec['detail'] {
  if (detail === false) return undefined
  if (detail === true) return model.primaryKey
  return [detail.by].flat().map((key) => {
    const column = model.columns.get(key)
    if (column) return column
    throw invalid(
      path,
      'detail',
      `has detail.by '${key}'; the columns of '${model.key}' are ${listNames(model.columns.keys())}`,
    )
  })
}

function readTotals(path: string, totals: boolean | Total): readonly Total[] {
  if (totals === true) return ['exact', 'estimated']
  return totals === false ? [] : [oneOf(path, 'totals', totals, ['exact', 'estimated'] as const)]
}

function whole(path: string, option: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw invalid(path, option, `has ${option} ${showValue(value)}; give a whole number from 1`)
}

function oneOf<T extends string>(path: string, option: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value
  throw invalid(path, option, `has ${option} ${showValue(value)}; it can be ${listNames(allowed)}`)
}

function lastWord(path: string, model: Model): string {
  return path.split('/').findLast((part) => part !== '' && !part.startsWith(':')) ?? model.key
}

function invalid(path: string, option: string, complaint: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `The resource '${path}' ${complaint}.`, { details: { option } })
}
