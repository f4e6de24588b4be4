import { PlimsollError, showValue } from '../core/errors.ts'
import type { Column, Model } from '../schema/model.ts'

/** The filter that a primary key stands for. @throws PLIMSOLL_FILTER_INVALID unless it names the whole key. */
export function keyFilter({ key: name, primaryKey }: Model, key: unknown): Record<string, unknown> {
  if (primaryKey.length === 1 && !isFilter(key)) {
    if (key === undefined || key === null) {
      throw new PlimsollError('PLIMSOLL_FILTER_INVALID', `The primary key of '${name}' cannot be ${String(key)}.`)
    }
    return { [primaryKey[0]!.key]: key }
  }
  const names = primaryKey.map((column) => column.key)
  const given = isFilter(key) ? Object.keys(key) : []
  if (names.length > 0 && given.length === names.length && names.every((part) => given.includes(part)))
    return key as Record<string, unknown>
  const wanted = names.length > 0 ? `{ ${names.join(', ')} }` : 'nothing, since it has no primary key'
  throw new PlimsollError(
    'PLIMSOLL_FILTER_INVALID',
    `The primary key of '${name}' is ${wanted}, not ${showValue(key)}.`,
  )
}

/** The primary key as a column. @throws PLIMSOLL_QUERY_INVALID when it is not one column. */
export function singleKey({ key, primaryKey }: Model): Column {
  const [column, ...others] = primaryKey
  if (column && others.length === 0) return column
  throw new PlimsollError(
    'PLIMSOLL_QUERY_INVALID',
    `inBulk() needs a primary key of one column, which '${key}' has not; use filter().`,
  )
}

/** True for an object of columns, rather than a value that is a key by itself. */
export function isFilter(key: unknown): key is Record<string, unknown> {
  return (
    typeof key === 'object' && key !== null && !(key instanceof Date) && !Buffer.isBuffer(key) && !Array.isArray(key)
  )
}
