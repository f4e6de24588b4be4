import type { Codec } from '../model.ts'
import { formatArrayText, parseArrayText, type ArrayTexts } from './array-text.ts'
import { valueInvalid, wireText, type ScalarCodec } from './scalar-codec.ts'

/** PostGIS separates the elements of its arrays by a colon, PostgreSQL those of `box` by a semicolon. */
export function arrayDelimiter(sqlType: string): string {
  if (sqlType === 'box') return ';'
  return sqlType === 'geometry' || sqlType === 'geography' ? ':' : ','
}

interface ArrayOptions {
  readonly dimensions: number
  readonly delimiter: string
}

/** Arrays of `element`. NULL elements are null, at any depth; PostgreSQL does not hold arrays to their declared depth. */
export function arrayCodec(
  element: ScalarCodec,
  { dimensions, delimiter }: ArrayOptions,
): Omit<Codec, 'sqlType' | 'encodeText'> {
  const decodeItems = (items: ArrayTexts): unknown[] =>
    items.map((item) => (item === null ? null : typeof item === 'string' ? element.decode(item) : decodeItems(item)))
  const expected = dimensions === 1 ? 'an array' : `an array of ${dimensions} dimensions`
  return {
    json: 'value',
    value: 'value',
    decode: (text) => decodeItems(parseArrayText(text, delimiter)),
    encode: (value) => {
      if (value === null || value === undefined) return null
      // Text is an array literal already.
      if (typeof value === 'string') return value
      if (!Array.isArray(value)) throw valueInvalid(value, expected)
      return formatArrayText(encodeItems(value, dimensions, element.encode), delimiter)
    },
    parse: (text) => {
      let value: unknown
      try {
        value = JSON.parse(text)
      } catch (error) {
        throw valueInvalid(text, 'a JSON array such as ["a","b"]', error)
      }
      return parseItems(value, dimensions, element, expected)
    },
    jsonSchema: Array.from({ length: dimensions }).reduce<Readonly<Record<string, unknown>>>(
      (items) => ({ type: 'array', items }),
      element.jsonSchema,
    ),
  }
}

/** Arrays may be elements themselves (JSON, points as tuples): only `depth` levels are the database's. */
export function encodeItems(items: readonly unknown[], depth: number, encode: ScalarCodec['encode']): ArrayTexts {
  return items.map((item) => {
    if (item === null || item === undefined) return null
    if (depth > 1 && Array.isArray(item)) return encodeItems(item, depth - 1, encode)
    const wire = encode(item)
    return wire === null ? null : wireText(wire)
  })
}

function parseItems(value: unknown, depth: number, element: ScalarCodec, expected: string): unknown {
  if (value === null) return null
  if (depth === 0) return element.parse(typeof value === 'string' ? value : JSON.stringify(value))
  if (!Array.isArray(value)) throw valueInvalid(value, expected)
  return value.map((item) => parseItems(item, depth - 1, element, expected))
}
