import type { Column } from '../../schema/model.ts'
import type { FieldAt } from '../field-path.ts'
import type { FilterOperator } from '../filter-operators.ts'
import type { PathParameter } from '../path-parameters.ts'
import type { FilterField, ResourceSpec } from '../resource-spec.ts'
import type { JsonSchema } from './field-schema.ts'

/** A parameter object of OpenAPI, or a reference to one. */
export type Parameter = Readonly<Record<string, unknown>>

/** The parameters that are the same for every list. */
export const sharedParameters = {
  after: {
    name: 'after',
    in: 'query',
    description: 'The `next` of a page: answers the page after it. Not together with `before` or `page`.',
    schema: { type: 'string' },
  },
  before: {
    name: 'before',
    in: 'query',
    description: 'The `previous` of a page: answers the page before it. Not together with `after` or `page`.',
    schema: { type: 'string' },
  },
  page: {
    name: 'page',
    in: 'query',
    description:
      'The number of a page, from 1. Deep pages cost more than cursors do. Not together with `after` or `before`.',
    schema: { type: 'integer', minimum: 1 },
    example: 1,
  },
} as const satisfies Record<string, Parameter>

/** The parameters of a list. */
export function listParameters(spec: ResourceSpec): Parameter[] {
  return [
    ...spec.parameters.map((name) =>
      name in sharedParameters ? { $ref: `#/components/parameters/${name}` } : ownParameter(name, spec),
    ),
    ...[...spec.filters.values()].flatMap((field) =>
      field.operators.map((operator) => filterParameter(field, operator)),
    ),
  ]
}

/** The parameter `fields`. */
export function fieldsParameter(spec: ResourceSpec): Parameter {
  return {
    name: 'fields',
    in: 'query',
    description: 'The fields to answer with; all of them without it.',
    ...commaList(spec.fields),
    example: spec.fields.slice(0, 2),
  }
}

/** The parameters of a path that select the rows of a list. */
export function parentParameters(parameters: readonly PathParameter[]): Parameter[] {
  return parameters.map((parameter) => pathParameter(parameter, `${rowsWith(parameter)} equal to it.`))
}

/** The parameters of a path that say which row it is. */
export function keyParameters(parameters: readonly PathParameter[]): Parameter[] {
  return parameters.map((parameter) => pathParameter(parameter, `The \`${parameter.path}\` of the row.`))
}

function pathParameter({ name, column }: PathParameter, description: string): Parameter {
  return {
    name,
    in: 'path',
    description,
    required: true,
    schema: valueSchema(column),
    example: exampleOf(column),
  }
}

function ownParameter(name: string, spec: ResourceSpec): Parameter {
  switch (name) {
    case 'fields':
      return fieldsParameter(spec)
    case 'order':
      return {
        name,
        in: 'query',
        description: 'The order of the rows, by the first path, then the next; `-` before a path for descending.',
        ...commaList([...spec.orders].flatMap((path) => [path, `-${path}`])),
        example: [`-${[...spec.orders][0]!}`],
      }
    case 'size':
      return {
        name,
        in: 'query',
        description: 'Rows per page.',
        schema: { type: 'integer', minimum: 1, maximum: spec.size.max, default: spec.size.default },
        example: spec.size.default,
      }
    default:
      return {
        name,
        in: 'query',
        description:
          'Adds the number of all rows: counted, or estimated from the statistics of the database, which is cheap.',
        schema: { type: 'string', enum: spec.totals },
        example: spec.totals.at(-1),
      }
  }
}

const meanings: Readonly<Record<FilterOperator, string>> = {
  eq: 'equal to the value',
  ne: 'other than the value',
  in: 'among the values (with commas between them; `\\,` is a comma)',
  notIn: 'not among the values (with commas between them; `\\,` is a comma)',
  gt: 'greater than the value',
  gte: 'greater than the value or equal to it',
  lt: 'less than the value',
  lte: 'less than the value or equal to it',
  like: 'like the pattern, where `%` stands for any text and `_` for one character',
  ilike: 'like the pattern whatever its case, where `%` stands for any text and `_` for one character',
  isNull: 'missing (`true`) or present (`false`)',
}

/** The beginning of a sentence about rows by a field. Of a to-many relation one related row is enough. */
function rowsWith({ path, relations }: FieldAt): string {
  return relations.some(({ kind }) => kind === 'many')
    ? `Only rows that have some \`${path}\``
    : `Only rows whose \`${path}\` is`
}

/** What people get wrong: rows that the operators of absence leave out, or do not leave out. */
function caveat({ relations, column }: FieldAt, operator: FilterOperator): string {
  const negative = operator === 'ne' || operator === 'notIn'
  if (relations.some(({ kind }) => kind === 'many'))
    return negative ? '; they may have the unwanted beside it, and rows that have none are left out' : ''
  const optional = relations.find(({ certain }) => !certain)
  if ((negative || operator === 'isNull') && optional) return `; rows without \`${optional.name}\` are left out`
  return negative && !column.notNull ? '; rows where it is missing are left out' : ''
}

function filterParameter(field: FilterField, operator: FilterOperator): Parameter {
  const { path, column } = field
  const example = exampleOf(column)
  const base = {
    name: operator === 'eq' ? `filter[${path}]` : `filter[${path}][${operator}]`,
    in: 'query',
    description: `${rowsWith(field)} ${meanings[operator]}${caveat(field, operator)}.`,
  }
  if (operator === 'isNull') return { ...base, schema: { type: 'boolean' }, example: true }
  if (operator === 'like' || operator === 'ilike')
    return { ...base, schema: { type: 'string' }, example: `%${String(example)}%` }
  if (operator !== 'in' && operator !== 'notIn') return { ...base, schema: valueSchema(column), example }
  return {
    ...base,
    style: 'form',
    explode: false,
    schema: { type: 'array', items: valueSchema(column), minItems: 1, maxItems: 100 },
    example: [example],
  }
}

function commaList(names: readonly string[]): Parameter {
  return {
    style: 'form',
    explode: false,
    schema: { type: 'array', items: { type: 'string', enum: names }, minItems: 1, uniqueItems: true },
  }
}

function valueSchema(column: Column): JsonSchema {
  return column.codec.jsonSchema
}

/** A value that fits the column, for people who want to see how one is written. */
function exampleOf(column: Column): unknown {
  const {
    type,
    format,
    enum: values,
  } = column.codec.jsonSchema as { type?: unknown; format?: unknown; enum?: readonly unknown[] }
  if (values?.[0] !== undefined) return values[0]
  if (type === 'integer' || type === 'number') return 1
  if (type === 'boolean') return true
  if (format === 'date-time') return '2026-01-31T12:00:00.000Z'
  if (format === 'date') return '2026-01-31'
  if (format === 'uuid') return '01890a5d-ac96-774b-bcce-b302099a8057'
  return /^(?:bigint|numeric|int)/.test(column.codec.sqlType) ? '1' : 'text'
}
