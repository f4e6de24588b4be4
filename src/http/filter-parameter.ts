import { isPlimsollError, listNames, PlimsollError } from '../core/errors.ts'
import type { Column } from '../schema/model.ts'
import type { FilterOperator } from './filter-operators.ts'
import { cut, type QueryParameter } from './query-string.ts'
import type { FilterField, ResourceSpec } from './resource-spec.ts'

/** A filter object in the language of `queryset.filter`. */
export type FilterObject = { [name: string]: unknown }

const maxValueLength = 2000
const maxListLength = 100

/** True for `filter` and `filter[…`: what this file reads. */
export function isFilterParameter(name: string): boolean {
  return name === 'filter' || name.startsWith('filter[')
}

/**
 * Turns `filter[path]=value` and `filter[path][operator]=value` into one filter object, each value parsed by the codec of its
 * column. Conditions on one relation are about the same related row.
 *
 * @throws PLIMSOLL_FIELD_UNKNOWN, PLIMSOLL_OPERATOR_UNKNOWN, PLIMSOLL_VALUE_INVALID, PLIMSOLL_FILTER_INVALID,
 *   PLIMSOLL_FILTER_TOO_COMPLEX
 */
export function parseFilters(parameters: readonly QueryParameter[], spec: ResourceSpec): FilterObject | undefined {
  if (parameters.length === 0) return undefined
  if (parameters.length > spec.maxFilters) {
    throw new PlimsollError(
      'PLIMSOLL_FILTER_TOO_COMPLEX',
      `The request has ${parameters.length} filters; it may have at most ${spec.maxFilters}.`,
      { details: { parameter: 'filter', limit: spec.maxFilters } },
    )
  }
  const filter: FilterObject = {}
  for (const { name, value } of parameters) {
    const { field, operator } = readName(name, spec)
    const at = field.names.slice(0, -1).reduce((level, relation) => (level[relation] ??= {}) as FilterObject, filter)
    const operators = (at[field.names.at(-1)!] ??= {}) as FilterObject
    // `filter[title]` and `filter[title][eq]` are two names of one condition.
    if (Object.hasOwn(operators, operator)) {
      throw new PlimsollError('PLIMSOLL_FILTER_INVALID', `'${field.path}' is filtered by '${operator}' twice.`, {
        details: { parameter: cut(name) },
      })
    }
    operators[operator] = readValue(name, value, { field, operator })
  }
  return filter
}

function readName(name: string, spec: ResourceSpec): { field: FilterField; operator: FilterOperator } {
  const match = /^filter\[([^[\]]+)\](?:\[([^[\]]*)\])?$/.exec(name)
  if (!match) {
    const deep = /^filter(?:\[[^[\]]*\]){3,}$/.test(name)
    throw new PlimsollError(
      deep ? 'PLIMSOLL_FILTER_TOO_COMPLEX' : 'PLIMSOLL_FILTER_INVALID',
      `'${cut(name)}' is no filter; write filter[path]=value or filter[path][operator]=value, with dots inside the path.`,
      { details: { parameter: cut(name) } },
    )
  }
  const [, path = '', operator = 'eq'] = match
  const field = spec.filters.get(path)
  if (!field) {
    const allowed = [...spec.filters.keys()]
    throw new PlimsollError(
      'PLIMSOLL_FIELD_UNKNOWN',
      `'${cut(path)}' is not a filter of ${spec.path}; the filters are ${listNames(allowed, 50)}.`,
      { details: { parameter: cut(name), field: cut(path), allowed } },
    )
  }
  if (!(field.operators as readonly string[]).includes(operator)) {
    throw new PlimsollError(
      'PLIMSOLL_OPERATOR_UNKNOWN',
      `'${cut(operator)}' is not an operator of '${path}'; its operators are ${listNames(field.operators)}.`,
      { details: { parameter: cut(name), field: path, operator: cut(operator), allowed: field.operators } },
    )
  }
  return { field, operator: operator as FilterOperator }
}

function readValue(
  parameter: string,
  value: string,
  { field, operator }: { field: FilterField; operator: FilterOperator },
): unknown {
  switch (operator) {
    case 'isNull':
      if (value === 'true' || value === 'false') return value === 'true'
      throw unfit(parameter, `takes true or false`)
    case 'in':
    case 'notIn': {
      const items = splitList(value)
      if (items.length > maxListLength) {
        throw new PlimsollError(
          'PLIMSOLL_FILTER_TOO_COMPLEX',
          `'${parameter}' lists more than ${maxListLength} values.`,
          {
            details: { parameter, limit: maxListLength },
          },
        )
      }
      return items.map((item) => parseColumnValue(parameter, item, field.column))
    }
    case 'like':
    case 'ilike':
      checkLength(parameter, value)
      // PostgreSQL fails on a pattern whose last character escapes nothing.
      if (/(?:^|[^\\])(?:\\\\)*\\$/.test(value))
        throw unfit(parameter, String.raw`ends in a single \; write \\ for the character itself`)
      return value
    default:
      return parseColumnValue(parameter, value, field.column)
  }
}

/** Splits at commas; `\,` is a comma and `\\` a backslash inside a value. */
function splitList(text: string): string[] {
  if (!text.includes('\\')) return text.split(',')
  const items = ['']
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    const next = text[at + 1]
    if (character === '\\' && (next === ',' || next === '\\')) {
      items[items.length - 1] += next
      at++
    } else if (character === ',') items.push('')
    else items[items.length - 1] += character
  }
  return items
}

/**
 * A text of a URL as a value of `column`; `parameter` names it in the error.
 *
 * @throws PLIMSOLL_VALUE_INVALID
 */
export function parseColumnValue(parameter: string, text: string, column: Column): unknown {
  checkLength(parameter, text)
  try {
    return column.codec.parse(text)
  } catch (error) {
    if (!isPlimsollError(error)) throw error
    throw new PlimsollError('PLIMSOLL_VALUE_INVALID', `'${parameter}': ${error.message}`, {
      cause: error,
      details: { parameter },
    })
  }
}

function checkLength(parameter: string, value: string): void {
  if (value.length > maxValueLength) throw unfit(parameter, `is longer than ${maxValueLength} characters`)
}

function unfit(parameter: string, complaint: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_VALUE_INVALID', `'${parameter}' ${complaint}.`, { details: { parameter } })
}
