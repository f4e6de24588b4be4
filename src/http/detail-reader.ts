import { LRUCache } from 'lru-cache'
import { PlimsollError } from '../core/errors.ts'
import { selectFields, type AnyQuerySet } from '../db/dynamic.ts'
import { parseDetailFields } from './list-request.ts'
import { applyPathParameters, type PathParameter } from './path-parameters.ts'
import { cut, parseQueryString, splitUrl } from './query-string.ts'
import type { Reader } from './reading.ts'
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

/** The rows of a resource with some of its fields. */
interface Selection {
  readonly queryset: AnyQuerySet
  readonly fields: readonly string[]
}

/** Reads one row by its path. */
export function detailReader(
  spec: ResourceSpec,
  { path, key }: DetailPath,
  scope: Scope<AnyQuerySet> | undefined,
): Reader {
  const selections = new LRUCache<string, Selection>({ max: maxSelections })
  const parameters = [...spec.pathParameters, ...key]
  const all = select(spec.fields)

  function select(fields: readonly string[]): Selection {
    return { queryset: selectFields(spec.queryset.orderBy(), fields), fields }
  }

  function selectionOf(query: string): Selection {
    if (query === '') return all
    const fields = parseDetailFields(parseQueryString(query), spec, path)
    const name = fields.join(',')
    let selected = selections.get(name)
    if (!selected) {
      selected = select(fields)
      selections.set(name, selected)
    }
    return selected
  }

  return (request) => {
    const values = request.params as Record<string, string>
    const { queryset, fields } = selectionOf(splitUrl(request.url).query)
    const found = applyPathParameters(queryset, parameters, values)
    const rows = scope ? applyScope(scope, request, found) : found
    return {
      rows,
      form: () => `${spec.model.key}\n${fields.join()}`,
      check: () => {},
      load: async (from) => {
        const body = await from.first().json()
        return body ? { body } : undefined
      },
      link: () => undefined,
      missing: () => {
        const wanted = key.map(({ name, path: field }) => `${field} '${cut(values[name] ?? '')}'`).join(' and ')
        return new PlimsollError('PLIMSOLL_NOT_FOUND', `${spec.name} has nothing with ${wanted}.`)
      },
    }
  }
}
