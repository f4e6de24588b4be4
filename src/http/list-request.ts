import { listNames, PlimsollError } from '../core/errors.ts'
import { isFilterParameter, parseFilters, type FilterObject } from './filter-parameter.ts'
import { parsePage, type PageRequest } from './page-parameters.ts'
import { cut, type QueryParameter } from './query-string.ts'
import type { ResourceSpec } from './resource-spec.ts'

/** What the parameters of a list ask for, without its cursor: parsed, and within the bounds of the resource. */
export interface ListRequest {
  /** In the order of the resource's own fields. */
  readonly fields: readonly string[]
  readonly filter: FilterObject | undefined
  /** Undefined: the order of the resource. */
  readonly order: readonly string[] | undefined
  readonly page: PageRequest
}

const maxOrders = 8

/**
 * Parses every parameter of a list but the values of `after` and `before`, whose validity only the queryset can tell.
 *
 * @throws PLIMSOLL_PARAMETER_UNKNOWN, PLIMSOLL_PARAMETER_INVALID, PLIMSOLL_PAGE_INVALID, PLIMSOLL_ORDER_INVALID and what
 *   {@link parseFilters} throws.
 */
export function parseListRequest(parameters: readonly QueryParameter[], spec: ResourceSpec): ListRequest {
  const filters: QueryParameter[] = []
  const plain = new Map<string, string>()
  for (const parameter of parameters) {
    if (isFilterParameter(parameter.name)) filters.push(parameter)
    else if (spec.parameters.includes(parameter.name)) plain.set(parameter.name, parameter.value)
    else {
      const allowed = [...spec.parameters, ...(spec.filters.size > 0 ? ['filter[path]', 'filter[path][operator]'] : [])]
      throw unknownParameter(parameter.name, allowed, spec.path)
    }
  }
  const cursor = plain.has('after') || plain.has('before')
  if (plain.has('after') && plain.has('before')) {
    throw new PlimsollError('PLIMSOLL_PAGE_INVALID', `'after' and 'before' exclude each other; send one of them.`, {
      details: { parameter: 'before' },
    })
  }
  return {
    page: parsePage(plain, spec, { cursor }),
    fields: parseFields(plain.get('fields'), spec),
    order: parseOrder(plain.get('order'), spec),
    filter: parseFilters(filters, spec),
  }
}

/**
 * The fields that the parameters of one row, at `path`, ask for.
 *
 * @throws PLIMSOLL_PARAMETER_UNKNOWN for anything but `fields`, PLIMSOLL_FIELD_UNKNOWN
 */
export function parseDetailFields(
  parameters: readonly QueryParameter[],
  spec: ResourceSpec,
  path: string,
): readonly string[] {
  for (const { name } of parameters) if (name !== 'fields') throw unknownParameter(name, ['fields'], path)
  return parseFields(parameters[0]?.value, spec)
}

function parseFields(text: string | undefined, spec: ResourceSpec): readonly string[] {
  if (text === undefined) return spec.fields
  const asked = new Set<string>()
  for (const path of splitNames(text, 'fields', spec.fields.length)) {
    if (!spec.fieldSet.has(path)) {
      throw new PlimsollError(
        'PLIMSOLL_FIELD_UNKNOWN',
        `'${cut(path)}' is not a field of ${spec.path}; the fields are ${listNames(spec.fields, 50)}.`,
        { details: { parameter: 'fields', field: cut(path), allowed: spec.fields } },
      )
    }
    asked.add(path)
  }
  // In one order whatever the client's, so that the same choice of fields is the same statement.
  return asked.size === spec.fields.length ? spec.fields : spec.fields.filter((path) => asked.has(path))
}

function parseOrder(text: string | undefined, spec: ResourceSpec): readonly string[] | undefined {
  if (text === undefined) return undefined
  const items = splitNames(text, 'order', maxOrders)
  const paths = items.map((item) => (item.startsWith('-') ? item.slice(1) : item))
  for (const [at, path] of paths.entries()) {
    const problem = !spec.orders.has(path)
      ? 'is not an order of'
      : paths.indexOf(path) < at
        ? 'is named twice in the order of'
        : undefined
    if (!problem) continue
    const allowed = [...spec.orders].flatMap((order) => [order, `-${order}`])
    throw new PlimsollError(
      'PLIMSOLL_ORDER_INVALID',
      `'${cut(path)}' ${problem} ${spec.path}; the orders are ${listNames(allowed, 50)}.`,
      { details: { parameter: 'order', order: cut(items[at]!), allowed } },
    )
  }
  return items
}

function splitNames(text: string, parameter: string, most: number): string[] {
  const names = text.split(',', most + 1)
  if (names.length <= most) return names
  throw new PlimsollError('PLIMSOLL_PARAMETER_INVALID', `'${parameter}' lists more than ${most} names.`, {
    details: { parameter, limit: most },
  })
}

function unknownParameter(name: string, allowed: readonly string[], path: string): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_PARAMETER_UNKNOWN',
    `'${cut(name)}' is not a parameter of ${path}; ${listed(allowed)}.`,
    { details: { parameter: cut(name), allowed } },
  )
}

function listed(allowed: readonly string[]): string {
  return allowed.length === 1 ? `the only one is '${allowed[0]!}'` : `the parameters are ${listNames(allowed)}`
}
