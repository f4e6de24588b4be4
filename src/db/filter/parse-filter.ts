import { isPlimsollError, listNames, PlimsollError, showValue } from '../../core/errors.ts'
import type { WireValue } from '../../core/wire.ts'
import type { Column, Model, ModelGraph, Relation } from '../../schema/model.ts'
import { targetOf } from '../paths.ts'
import { operatorsOf } from './column-operators.ts'
import { constantSql } from './constant.ts'
import { arrayOperators, comparisonOperators, filterOperators, patternOperators, type Condition } from './condition.ts'
import { renderRaw } from './raw.ts'

/** A filter object in Drizzle's relational filter language. */
export type FilterObject = Readonly<Record<string, unknown>>

/** What a filter says: its shape as a condition and as a key, and its values apart. */
export interface ParsedFilter {
  readonly condition: Condition
  /** The same for two filters exactly when their conditions are the same. */
  readonly key: string
  readonly values: readonly WireValue[]
}

/** Deeper nesting of filters is refused: it is a bug or an attack. */
const maxDepth = 16

/**
 * Parses a filter of `model`; the slots of its values count from `firstSlot`.
 *
 * @throws PLIMSOLL_FIELD_UNKNOWN, PLIMSOLL_OPERATOR_UNKNOWN, PLIMSOLL_FILTER_INVALID, PLIMSOLL_FILTER_TOO_COMPLEX,
 *   PLIMSOLL_VALUE_INVALID
 */
export function parseFilter(
  graph: ModelGraph,
  model: Model,
  { filter, firstSlot }: { filter: unknown; firstSlot: number },
): ParsedFilter {
  const reader = new FilterReader(graph, firstSlot)
  const condition = reader.model(model, filter, 0)
  return { condition, key: reader.key, values: reader.values }
}

/**
 * Reads one filter from the outside in, gathering the key and the values on the way. The key keeps names apart by brackets
 * and commas, which no property has in its name.
 */
class FilterReader {
  readonly graph: ModelGraph
  readonly firstSlot: number
  readonly values: WireValue[] = []
  key = ''

  constructor(graph: ModelGraph, firstSlot: number) {
    this.graph = graph
    this.firstSlot = firstSlot
  }

  model(model: Model, filter: unknown, depth: number): Condition {
    if (typeof filter !== 'object' || filter === null || Array.isArray(filter)) {
      throw invalid(model.key, `A filter of '${model.key}' is an object such as { id: 1 }, not ${showValue(filter)}.`)
    }
    if (depth > maxDepth) throw tooDeep(model.key)
    const items: Condition[] = []
    for (const name of Object.keys(filter)) {
      const value = (filter as FilterObject)[name]
      if (value === undefined) throw undefinedValue(model.key, name)
      const column = model.columns.get(name)
      if (column) {
        this.key += `${name}[`
        items.push(this.column(model, column, value, depth + 1))
        continue
      }
      const relation = model.relations.get(name)
      if (relation) items.push(this.relation(relation, value, depth + 1))
      else items.push(this.keyword(model, name, value, depth + 1))
    }
    return items.length === 1 ? items[0]! : { kind: 'and', items }
  }

  private relation(relation: Relation, value: unknown, depth: number): Condition {
    if (typeof value === 'boolean') {
      this.key += `${relation.name}[${value ? '+' : '-'}`
      return { kind: 'related', relation, negated: !value, item: undefined }
    }
    this.key += `${relation.name}[{`
    const item = this.model(targetOf(this.graph, relation), value, depth)
    this.key += ']'
    return { kind: 'related', relation, negated: false, item }
  }

  private keyword(model: Model, name: string, value: unknown, depth: number): Condition {
    if (name === 'AND' || name === 'OR') {
      this.key += '['
      return this.list(model.key, name, value, (item) => this.model(model, item, depth))
    }
    if (name === 'NOT') {
      this.key += '[NOT'
      const item = this.model(model, value, depth)
      this.key += ']'
      // Nothing to deny, as Drizzle has it.
      return isEmptyCondition(item) ? item : { kind: 'not', item }
    }
    if (name === 'RAW') {
      const { pieces, values } = renderRaw(model, value)
      const firstSlot = this.firstSlot + this.values.length
      this.key += `[RAW${JSON.stringify(pieces)}`
      this.values.push(...values)
      return { kind: 'raw', pieces, firstSlot }
    }
    const allowed = [...model.columns.keys(), ...model.relations.keys(), 'AND', 'OR', 'NOT', 'RAW']
    throw new PlimsollError(
      'PLIMSOLL_FIELD_UNKNOWN',
      `Unknown field '${name}' in a filter of '${model.key}'; it can hold ${listNames(allowed, 40)}.`,
      { details: { model: model.key, field: name, allowed } },
    )
  }

  /** `AND` and `OR`, of rows or of one column. */
  private list(owner: string, name: 'AND' | 'OR', value: unknown, read: (item: unknown) => Condition): Condition {
    if (!Array.isArray(value) || value.length === 0) {
      throw invalid(
        owner,
        `${name} in a filter of '${owner}' takes a list with at least one filter, not ${showValue(value)}.`,
      )
    }
    this.key += `${name}[`
    const items = value.map((item) => {
      if (item === undefined) throw undefinedValue(owner, name)
      const condition = read(item)
      this.key += ','
      return condition
    })
    this.key += ']'
    return { kind: name === 'AND' ? 'and' : 'or', items }
  }

  private column(model: Model, column: Column, value: unknown, depth: number): Condition {
    if (depth > maxDepth) throw tooDeep(model.key)
    if (!isOperatorObject(value)) return this.operator(model, column, 'eq', value, depth)
    const names = Object.keys(value)
    if (names.length === 1) return this.operator(model, column, names[0]!, value[names[0]!], depth)
    if (names.length === 0) {
      throw invalid(
        model.key,
        `The filter of '${model.key}.${column.key}' is empty; give a value or an operator such as { gt: 1 }.`,
      )
    }
    this.key += '('
    const items = names.map((name) => this.operator(model, column, name, value[name], depth))
    this.key += ')'
    return { kind: 'and', items }
  }

  private operator(model: Model, column: Column, name: string, value: unknown, depth: number): Condition {
    if (value === undefined) throw undefinedValue(model.key, `${column.key}.${name}`)
    if (value === null && (name === 'eq' || name === 'ne')) return this.isNull(column, name === 'ne')
    if (!operatorsOf(column).has(name) && filterOperators.includes(name)) throw notForType(model, column, name)
    if (Object.hasOwn(comparisonOperators, name)) {
      const sql = comparisonOperators[name as 'eq']
      const literal = name === 'eq' || name === 'ne' ? constantSql(column, value) : undefined
      if (literal === undefined) return this.binary(column, name, sql, this.encode(model, column, value))
      this.key += `${name}=${literal};`
      return { kind: 'constant', column, sql, literal }
    }
    if (name === 'in' || name === 'notIn') return this.in(model, column, name, value)
    if (Object.hasOwn(patternOperators, name)) {
      if (typeof value !== 'string')
        throw invalid(model.key, `${column.key}.${name} takes a text pattern, not ${showValue(value)}.`)
      if (value.includes('\0')) throw unfit(model, column, value, withoutNul)
      return this.binary(column, name, patternOperators[name as 'like'], value, true)
    }
    if (Object.hasOwn(arrayOperators, name)) {
      return this.binary(column, name, arrayOperators[name as 'arrayContains'], this.encode(model, column, value))
    }
    if (name === 'isNull' || name === 'isNotNull') {
      if (typeof value !== 'boolean')
        throw invalid(model.key, `${column.key}.${name} takes true or false, not ${showValue(value)}.`)
      return this.isNull(column, (name === 'isNotNull') === value)
    }
    if (name === 'NOT') {
      this.key += 'NOT('
      const item = this.column(model, column, value, depth + 1)
      this.key += ')'
      return { kind: 'not', item }
    }
    if (name === 'AND' || name === 'OR') {
      return this.list(`${model.key}.${column.key}`, name, value, (item) => this.column(model, column, item, depth + 1))
    }
    throw new PlimsollError(
      'PLIMSOLL_OPERATOR_UNKNOWN',
      `Unknown operator '${name}' on '${model.key}.${column.key}'; its operators are ${listNames(operatorsOf(column))}.`,
      { details: { model: model.key, field: column.key, operator: name, allowed: [...operatorsOf(column)] } },
    )
  }

  private binary(column: Column, name: string, sql: string, value: WireValue, text = false): Condition {
    this.key += `${name};`
    const slot = this.firstSlot + this.values.length
    this.values.push(value)
    return { kind: 'operator', column, sql, slot, text }
  }

  private isNull(column: Column, negated: boolean): Condition {
    this.key += negated ? 'notnull;' : 'null;'
    return { kind: 'isNull', column, negated }
  }

  private in(model: Model, column: Column, name: 'in' | 'notIn', value: unknown): Condition {
    if (!Array.isArray(value)) {
      throw invalid(model.key, `${column.key}.${name} takes a list of values, not ${showValue(value)}.`)
    }
    const present = value.filter((item) => item !== null)
    const orNull = present.length < value.length
    this.key += `${name}${orNull ? 'null' : ''};`
    const slot = this.firstSlot + this.values.length
    this.values.push(
      present.map((item) => {
        if (item === undefined) throw undefinedValue(model.key, `${column.key}.${name}`)
        return encodeValueText(model, column, item)
      }),
    )
    return { kind: 'in', column, negated: name === 'notIn', slot, orNull }
  }

  private encode(model: Model, column: Column, value: unknown): WireValue {
    if (value === null) {
      throw invalid(
        model.key,
        `A comparison of '${model.key}.${column.key}' with null never holds; use isNull or isNotNull.`,
      )
    }
    return encodeValue(model, column, value)
  }
}

/** The wire form of a value of `column`. @throws PLIMSOLL_VALUE_INVALID naming column, type and value. */
export function encodeValue(model: Model, column: Column, value: unknown): WireValue {
  return encodedBy(model, column, value, column.codec.encode)
}

/**
 * PostgreSQL's text of a value of `column`, for arrays of values; null where the column's type writes NULL.
 *
 * @throws PLIMSOLL_VALUE_INVALID as {@link encodeValue}.
 */
export function encodeValueText(model: Model, column: Column, value: unknown): string | null {
  return encodedBy(model, column, value, column.codec.encodeText)
}

function encodedBy<T extends WireValue>(
  model: Model,
  column: Column,
  value: unknown,
  encode: (value: unknown) => T,
): T {
  let wire: T
  try {
    wire = encode(value)
  } catch (cause) {
    // What is not about the value keeps its own code.
    if (isPlimsollError(cause) && cause.code !== 'PLIMSOLL_VALUE_INVALID') throw cause
    throw unfit(model, column, value, isPlimsollError(cause) ? cause.details['expected'] : undefined, cause)
  }
  if (typeof wire === 'string' && wire.includes('\0')) throw unfit(model, column, value, withoutNul)
  return wire
}

const withoutNul = 'text without the character NUL'

function unfit(model: Model, column: Column, value: unknown, expected: unknown, cause?: unknown): PlimsollError {
  const wanted = typeof expected === 'string' ? `; give ${expected}` : ''
  return new PlimsollError(
    'PLIMSOLL_VALUE_INVALID',
    `${showValue(value)} does not fit '${model.key}.${column.key}', which is ${column.codec.sqlType}${wanted}.`,
    { cause, details: { model: model.key, field: column.key } },
  )
}

/** True for a condition that says nothing: `{}`, or a list of such. */
export function isEmptyCondition(condition: Condition): boolean {
  return (condition.kind === 'and' || condition.kind === 'or') && condition.items.every(isEmptyCondition)
}

function notForType(model: Model, column: Column, name: string): PlimsollError {
  const allowed = [...operatorsOf(column)]
  const compares = Object.hasOwn(patternOperators, name)
    ? 'compares text'
    : Object.hasOwn(arrayOperators, name)
      ? 'compares arrays'
      : 'is not for every type'
  return new PlimsollError(
    'PLIMSOLL_OPERATOR_UNKNOWN',
    `'${name}' ${compares}, and '${model.key}.${column.key}' is ${column.codec.sqlType}; its operators are ${listNames(allowed)}.`,
    { details: { model: model.key, field: column.key, operator: name, allowed } },
  )
}

function isOperatorObject(value: unknown): value is FilterObject {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function invalid(model: string, message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_FILTER_INVALID', message, { details: { model } })
}

function undefinedValue(model: string, field: string): PlimsollError {
  return invalid(
    model,
    `The value of '${field}' in a filter of '${model}' is undefined; leave the field out to not filter by it.`,
  )
}

function tooDeep(model: string): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_FILTER_TOO_COMPLEX',
    `A filter of '${model}' is nested more than ${maxDepth} levels deep.`,
    {
      details: { model },
    },
  )
}
