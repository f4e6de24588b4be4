import { deserialize, serialize } from 'node:v8'
import { PlimsollError } from '../core/errors.ts'

/** How a value is kept. The numbers are part of what stores hold: never reuse one. */
export const valueKinds = { null: 0, undefined: 1, bytes: 2, text: 3, json: 4, structured: 5 } as const
export type ValueKind = (typeof valueKinds)[keyof typeof valueKinds]

export interface EncodedValue {
  readonly kind: ValueKind
  readonly payload: Buffer
}

const nothing = Buffer.alloc(0)

/**
 * A value as bytes. Plain data goes as JSON; Date, bigint, Map, Set, typed arrays, NaN and what holds them by the structured
 * clone algorithm, which gives them back as they were; a Buffer as it is.
 *
 * @throws PLIMSOLL_CACHE_VALUE_INVALID for functions, symbols and instances of classes, which would come back as something else.
 */
export function encodeValue(value: unknown): EncodedValue {
  if (value === null) return { kind: valueKinds.null, payload: nothing }
  if (value === undefined) return { kind: valueKinds.undefined, payload: nothing }
  // UTF-8 has no bytes for half of a surrogate pair; JSON spells it out.
  if (typeof value === 'string' && value.isWellFormed()) {
    return { kind: valueKinds.text, payload: Buffer.from(value, 'utf8') }
  }
  if (Buffer.isBuffer(value)) return { kind: valueKinds.bytes, payload: value }
  return isJson(value, [], [])
    ? { kind: valueKinds.json, payload: Buffer.from(JSON.stringify(value), 'utf8') }
    : { kind: valueKinds.structured, payload: serialize(value) }
}

/** The value of bytes. JSON comes back frozen through and through; a Buffer is a view of `payload`. */
export function decodeValue(kind: ValueKind, payload: Buffer): unknown {
  switch (kind) {
    case valueKinds.null:
      return null
    case valueKinds.undefined:
      return undefined
    case valueKinds.bytes:
      return payload
    case valueKinds.text:
      return payload.toString('utf8')
    case valueKinds.json:
      return freezeJson(JSON.parse(payload.toString('utf8')))
    case valueKinds.structured:
      return deserialize(payload)
    default:
      throw new TypeError(`There is no kind of value ${String(kind)}.`)
  }
}

const structuredVersion = serialize(null)[1]!

/** False for what another release has written in a form that this one does not know: of V8, which knows its older forms, or of ours. */
export function isReadable(kind: ValueKind, payload: Buffer): boolean {
  return kind === valueKinds.structured ? payload[1]! <= structuredVersion : kind < valueKinds.structured
}

/** True when readers can share one value: nobody can change it for the others, as long as they leave Buffers alone. */
export function isShareable(kind: ValueKind): boolean {
  return kind !== valueKinds.structured
}

/** True for `null` and `undefined`: there is no such value. */
export function isNegative(kind: ValueKind): boolean {
  return kind === valueKinds.null || kind === valueKinds.undefined
}

/** True when a value of this kind holds on to the bytes it was made from. */
export function keepsBytes(kind: ValueKind): boolean {
  return kind === valueKinds.bytes || kind === valueKinds.structured
}

/** Freezes what `JSON.parse` gave, through and through. */
function freezeJson(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) if (typeof value[i] === 'object') freezeJson(value[i])
  } else {
    const members = value as Record<string, unknown>
    for (const name in members) if (typeof members[name] === 'object') freezeJson(members[name])
  }
  return Object.freeze(value)
}

/** True when JSON gives `value` back as it is; walks all of it, since what cannot be kept at all must be refused. */
function isJson(value: unknown, path: (string | number)[], parents: object[]): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
    case 'undefined':
    case 'bigint':
      return false
    case 'function':
    case 'symbol':
      throw invalid(`a ${typeof value}`, path)
    default:
      return value === null || isJsonObject(value as object, path, parents)
  }
}

function isJsonObject(value: object, path: (string | number)[], parents: object[]): boolean {
  // What holds itself is for the structured clone; to walk on would never end.
  if (parents.includes(value)) return false
  parents.push(value)
  const json = isJsonMembers(value, path, parents)
  parents.pop()
  return json
}

function isJsonMembers(value: object, path: (string | number)[], parents: object[]): boolean {
  let json = true
  // Every member is walked, also after the first that is not JSON: one may be impossible to keep.
  const walk = (name: string | number, item: unknown): void => {
    path.push(name)
    if (!isJson(item, path, parents)) json = false
    path.pop()
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) walk(i, value[i])
    return json
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) {
    for (const name of Object.keys(value)) walk(name, (value as Record<string, unknown>)[name])
    const hasToJson = typeof (value as { toJSON?: unknown }).toJSON === 'function'
    return json && prototype !== null && !Object.hasOwn(value, '__proto__') && !hasToJson
  }
  if (value instanceof Map) {
    let at = 0
    for (const [key, item] of value) {
      walk(at, key)
      walk(at++, item)
    }
    return false
  }
  if (value instanceof Set) {
    let at = 0
    for (const item of value) walk(at++, item)
    return false
  }
  if (isCloneable(value)) return false
  throw invalid(`an instance of ${value.constructor?.name ?? 'a class'}`, path)
}

/** Objects that structured clone gives back as they were. */
function isCloneable(value: object): boolean {
  return (
    value instanceof Date ||
    value instanceof RegExp ||
    value instanceof ArrayBuffer ||
    ArrayBuffer.isView(value) ||
    value instanceof Error
  )
}

function invalid(what: string, path: readonly (string | number)[]): PlimsollError {
  const where = path.length === 0 ? 'The value' : `The value at '${path.join('.')}'`
  return new PlimsollError(
    'PLIMSOLL_CACHE_VALUE_INVALID',
    `${where} is ${what}, which cannot be kept in a cache; return plain data from the loader.`,
    { details: { path: path.join('.') } },
  )
}
