import { LRUCache } from 'lru-cache'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isPlimsollError, PlimsollError } from '../core/errors.ts'
import { selectFields, type AnyQuerySet } from '../db/dynamic.ts'
import type { JsonPage } from '../db/types/result.ts'
import { answerJson } from './answer.ts'
import { linkHeader, sharedQuery } from './links.ts'
import { parseListRequest, type ListRequest } from './list-request.ts'
import { applyPathParameters } from './path-parameters.ts'
import { parseQueryString, splitUrl, type QueryParameter } from './query-string.ts'
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

/** Answers a handler of Fastify. */
export type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>

/** The handler of a list: parameters → page → JSON bytes, planned once per distinct query string. */
export function listHandler(spec: ResourceSpec, scope: Scope<AnyQuerySet> | undefined): Handler {
  const plans = new LRUCache<string, ListPlan>({ max: maxPlans })

  function planOf(parameters: readonly QueryParameter[], key: string): ListPlan {
    const known = plans.get(key)
    if (known) return known
    const request = parseListRequest(parameters, spec)
    const plan = { request, queryset: refine(spec, request), shared: sharedQuery(parameters) }
    if (key.length <= maxKeyLength) plans.set(key, plan)
    return plan
  }

  return async (request, reply) => {
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
    const page = await loadPage(rows, plan.request, cursor)
    const asked = plan.request.page
    const atStart = asked.mode === 'page' ? asked.page === 1 : cursor === undefined
    const link = linkHeader({ shared: plan.shared, request: asked, atStart, page })
    return answerJson(request, reply, { body: page.body, link, scoped: scope !== undefined })
  }
}

function refine(spec: ResourceSpec, { fields, filter, order }: ListRequest): AnyQuerySet {
  const selected = selectFields(spec.queryset, fields)
  const filtered = filter ? selected.filter(filter) : selected
  return order ? filtered.orderBy(...order) : filtered
}

async function loadPage(
  rows: AnyQuerySet,
  { page }: ListRequest,
  cursor: QueryParameter | undefined,
): Promise<JsonPage> {
  const { size, total } = page
  if (page.mode === 'page') return rows.pageNumber({ page: page.page, size, total }).json()
  if (!cursor) return rows.page({ size, total }).json()
  try {
    return await rows.page({ size, total, [cursor.name]: cursor.value }).json()
  } catch (error) {
    if (!isPlimsollError(error, 'PLIMSOLL_CURSOR_INVALID')) throw error
    // Only here it is known which parameter it came by.
    throw new PlimsollError(error.code, error.message, { cause: error, details: { parameter: cursor.name } })
  }
}
