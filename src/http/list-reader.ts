import { LRUCache } from 'lru-cache'
import { isPlimsollError, PlimsollError } from '../core/errors.ts'
import { selectFields, type AnyQuerySet } from '../db/dynamic.ts'
import type { JsonPage } from '../db/types/result.ts'
import { linkHeader, sharedQuery } from './links.ts'
import { checkCursor, identityOf } from './list-identity.ts'
import { parseListRequest, type ListRequest } from './list-request.ts'
import { applyPathParameters } from './path-parameters.ts'
import { parseQueryString, splitUrl, type QueryParameter } from './query-string.ts'
import type { Reader } from './reading.ts'
import type { Scope } from './resource-options.ts'
import type { ResourceSpec } from './resource-spec.ts'
import { applyScope } from './scope.ts'

/** What a query string without its cursor comes to; the same for every page of one list. */
interface ListPlan {
  readonly request: ListRequest
  readonly queryset: AnyQuerySet
  readonly shared: string
}

const maxPlans = 500
/** Longer query strings are planned each time, so that what is kept stays small. */
const maxKeyLength = 1000

/** Reads lists: parameters → page → JSON bytes, planned once per distinct query string. */
export function listReader(spec: ResourceSpec, scope: Scope<AnyQuerySet> | undefined): Reader {
  const plans = new LRUCache<string, ListPlan>({ max: maxPlans })

  function planOf(parameters: readonly QueryParameter[], key: string): ListPlan {
    const known = plans.get(key)
    if (known) return known
    const request = parseListRequest(parameters, spec)
    const plan = { request, queryset: refine(spec, request), shared: sharedQuery(parameters) }
    if (key.length <= maxKeyLength) plans.set(key, plan)
    return plan
  }

  return (request) => {
    const { query } = splitUrl(request.url)
    const parameters = parseQueryString(query)
    let key = ''
    let cursor: QueryParameter | undefined
    for (const parameter of parameters) {
      const moves = parameter.name === 'after' || parameter.name === 'before'
      if (moves) cursor = parameter
      key += moves ? `${parameter.name}&` : `${parameter.raw}&`
    }
    const plan = planOf(parameters, key)
    const narrowed = applyPathParameters(plan.queryset, spec.pathParameters, request.params as Record<string, string>)
    const rows = scope ? applyScope(scope, request, narrowed) : narrowed
    const asked = plan.request.page
    const atStart = asked.mode === 'page' ? asked.page === 1 : cursor === undefined
    return {
      rows,
      form: () => formOf(rows, plan.request, cursor),
      check: () => {
        if (cursor) naming(cursor, () => checkCursor(rows, cursor.value))
      },
      load: async (from) => {
        const { body, ...marks } = await loadPage(from, plan.request, cursor)
        return { body, marks }
      },
      link: (page) => page && linkHeader({ shared: plan.shared, request: asked, atStart, page }),
      missing: () => new PlimsollError('PLIMSOLL_NOT_FOUND', `There is no such page of ${spec.name}.`),
    }
  }
}

function refine(spec: ResourceSpec, { fields, filter, order }: ListRequest): AnyQuerySet {
  const selected = selectFields(spec.queryset, fields)
  const filtered = filter ? selected.filter(filter) : selected
  return order ? filtered.orderBy(...order) : filtered
}

/** A page holds cursors of its own list, and its fields by their paths: neither is in the statements. */
function formOf(rows: AnyQuerySet, { page, fields }: ListRequest, cursor: QueryParameter | undefined): string {
  const { size, total = '' } = page
  const place = page.mode === 'page' ? `number ${page.page}` : cursor ? `${cursor.name} ${cursor.value}` : 'first'
  return `${identityOf(rows)}\n${fields.join()}\n${page.mode} ${size} ${total} ${place}`
}

async function loadPage(
  rows: AnyQuerySet,
  { page }: ListRequest,
  cursor: QueryParameter | undefined,
): Promise<JsonPage> {
  const { size, total } = page
  if (page.mode === 'page') return rows.pageNumber({ page: page.page, size, total }).json()
  if (!cursor) return rows.page({ size, total }).json()
  return naming(cursor, () => rows.page({ size, total, [cursor.name]: cursor.value }).json())
}

/** Names the parameter that a refused cursor came by: only here it is known. */
function naming<T>(cursor: QueryParameter, work: () => T): T {
  const named = (error: unknown): never => {
    if (!isPlimsollError(error, 'PLIMSOLL_CURSOR_INVALID')) throw error
    throw new PlimsollError(error.code, error.message, { cause: error, details: { parameter: cursor.name } })
  }
  try {
    const result = work()
    return result instanceof Promise ? (result.catch(named) as T) : result
  } catch (error) {
    return named(error)
  }
}
