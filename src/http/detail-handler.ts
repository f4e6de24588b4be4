import { LRUCache } from 'lru-cache'
import { PlimsollError } from '../core/errors.ts'
import { selectFields, type AnyQuerySet } from '../db/dynamic.ts'
import { answerJson } from './answer.ts'
import type { Handler } from './list-handler.ts'
import { parseDetailFields } from './list-request.ts'
import { applyPathParameters, type PathParameter } from './path-parameters.ts'
import { cut, parseQueryString, splitUrl } from './query-string.ts'
import type { Scope } from './resource-options.ts'
import type { ResourceSpec } from './resource-spec.ts'
import { applyScope } from './scope.ts'

const maxSelections = 100

/** Where one row of a resource lies: `/posts/:id`; a composite key is one segment for each column. */
export interface DetailPath {
  readonly path: string
  readonly key: readonly PathParameter[]
}

/** The path of one row, whose parameters are named after the columns unless the list's path has that name already. */
export function detailPath({ path, pathParameters, detail }: ResourceSpec): DetailPath | undefined {
  if (!detail) return undefined
  const taken = new Set(pathParameters.map((parameter) => parameter.name))
  const key = detail.map((column): PathParameter => {
    const word = column.key.replaceAll(/\W/g, '_')
    return { name: taken.has(word) ? `${word}_` : word, path: column.key, names: [column.key], relations: [], column }
  })
  return { path: [path.replace(/\/$/, ''), ...key.map(({ name }) => `:${name}`)].join('/'), key }
}

/** The handler of one row. */
export function detailHandler(
  spec: ResourceSpec,
  { path, key }: DetailPath,
  scope: Scope<AnyQuerySet> | undefined,
): Handler {
  const selections = new LRUCache<string, AnyQuerySet>({ max: maxSelections })
  const parameters = [...spec.pathParameters, ...key]
  const all = selectFields(spec.queryset.orderBy(), spec.fields)

  function selectionOf(query: string): AnyQuerySet {
    if (query === '') return all
    const fields = parseDetailFields(parseQueryString(query), spec, path)
    const name = fields.join(',')
    let selected = selections.get(name)
    if (!selected) {
      selected = selectFields(spec.queryset.orderBy(), fields)
      selections.set(name, selected)
    }
    return selected
  }

  return async (request, reply) => {
    const values = request.params as Record<string, string>
    const found = applyPathParameters(selectionOf(splitUrl(request.url).query), parameters, values)
    const rows = scope ? applyScope(scope, request, found) : found
    const body = await rows.first().json()
    if (!body) {
      const wanted = key.map(({ name, path: field }) => `${field} '${cut(values[name] ?? '')}'`).join(' and ')
      throw new PlimsollError('PLIMSOLL_NOT_FOUND', `${spec.name} has nothing with ${wanted}.`)
    }
    return answerJson(request, reply, { body, scoped: scope !== undefined })
  }
}
