import { listNames, PlimsollError } from '../core/errors.ts'
import type { AnyQuerySet } from '../db/dynamic.ts'
import type { Model, ModelGraph } from '../schema/model.ts'
import { fieldAt, nestFilter, type FieldAt } from './field-path.ts'
import { parseColumnValue, type FilterObject } from './filter-parameter.ts'

/** A parameter of a route's path, and the field whose value it gives. */
export interface PathParameter extends FieldAt {
  readonly name: string
}

/**
 * The parameters of a whole path such as `/videos/:videoId/comments`, each with its field: what `parent` says, or the column of the
 * same name.
 *
 * @throws PLIMSOLL_OPTION_INVALID for a parameter that is neither, or an entry of `parent` that is no parameter.
 */
export function readPathParameters(
  path: string,
  {
    graph,
    model,
    parent = {},
  }: { graph: ModelGraph; model: Model; parent?: Readonly<Record<string, string>> | undefined },
): readonly PathParameter[] {
  checkPath(path)
  const names = [...path.matchAll(/:(\w+)/g)].map((match) => match[1]!)
  if (new Set(names).size < names.length) throw pathInvalid(path)
  const stray = Object.keys(parent).find((name) => !names.includes(name))
  if (stray !== undefined) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `parent names '${stray}', but the parameters of '${path}' are ${listNames(names)}.`,
      { details: { option: 'parent' } },
    )
  }
  return names.map((name) => {
    const field = parent[name] ?? (model.columns.has(name) ? name : undefined)
    if (field !== undefined) return { name, ...fieldAt(graph, model, field) }
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `'${path}' has the parameter '${name}', which is no column of '${model.key}'; say which field it stands for: ` +
        `parent: { ${name}: 'relation.column' }.`,
      { details: { option: 'parent', parameter: name } },
    )
  })
}

/**
 * Checks that a path is made of words and parameters alone.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function checkPath(path: string): void {
  if (!path.startsWith('/') || /[*()?#]|::/.test(path)) throw pathInvalid(path)
}

function pathInvalid(path: string): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `The path of a resource, with the prefix around it, is such as '/posts' or '/videos/:videoId/comments', not '${path}'.`,
    { details: { option: 'path' } },
  )
}

/**
 * The rows that the values of a request's path select.
 *
 * @throws PLIMSOLL_VALUE_INVALID naming the parameter whose value does not fit its column; PLIMSOLL_NOT_FOUND for an empty
 *   one, which a router gives for a slash too many.
 */
export function applyPathParameters(
  queryset: AnyQuerySet,
  parameters: readonly PathParameter[],
  values: Readonly<Record<string, string>>,
): AnyQuerySet {
  return parameters.reduce((narrowed, { name, names, column }) => {
    const text = values[name] ?? ''
    if (text === '')
      throw new PlimsollError('PLIMSOLL_NOT_FOUND', `There is nothing here: '${name}' in the path is empty.`)
    const value = parseColumnValue(name, checkText(name, text), column)
    return narrowed.filter(nestFilter(names, { eq: value } satisfies FilterObject))
  }, queryset)
}

/** PostgreSQL's text holds no NUL, and a router decodes `%00` to one. */
function checkText(name: string, text: string): string {
  if (!text.includes('\0')) return text
  throw new PlimsollError('PLIMSOLL_VALUE_INVALID', `'${name}' in the path contains a NUL character.`, {
    details: { parameter: name },
  })
}
