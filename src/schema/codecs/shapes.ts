import { valueInvalid, type ScalarCodec } from './scalar-codec.ts'

const number = { type: 'number' }

interface CoordinatesOptions {
  /** The property names of the object form; undefined for tuples. */
  readonly names: readonly string[] | undefined
  readonly count: number
  readonly read: (text: string) => readonly number[]
  readonly write: (parts: readonly number[]) => string
  readonly expected: string
}

function coordinatesCodec({ names, count, read, write, expected }: CoordinatesOptions): ScalarCodec {
  const toValue = (parts: readonly number[]): unknown =>
    names ? Object.fromEntries(names.map((name, at) => [name, parts[at]])) : parts
  return {
    json: 'value',
    value: 'value',
    decode: (text) => toValue(read(text)),
    encode: (value) => {
      const parts: unknown[] = names
        ? names.map((name) => (value as Record<string, unknown> | null)?.[name])
        : Array.isArray(value)
          ? value
          : []
      if (parts.length === count && parts.every((part) => typeof part === 'number')) return write(parts)
      throw valueInvalid(value, expected)
    },
    parse: (text) => {
      const parts = text.replace(/^[({[]|[)}\]]$/g, '').split(',')
      if (parts.length === count && parts.every((part) => /^\s*-?\d+(?:\.\d+)?(?:e[+-]?\d{1,3})?\s*$/i.test(part))) {
        return toValue(parts.map(Number))
      }
      throw valueInvalid(text, expected)
    },
    jsonSchema: names
      ? { type: 'object', properties: Object.fromEntries(names.map((name) => [name, number])), required: names }
      : { type: 'array', items: number, minItems: count, maxItems: count },
  }
}

const readBracketed = (text: string): number[] => text.slice(1, -1).split(',').map(Number.parseFloat)

/** `point`, as `[x, y]` or `{ x, y }`. */
export function pointCodec(mode: 'tuple' | 'object'): ScalarCodec {
  return coordinatesCodec({
    names: mode === 'object' ? ['x', 'y'] : undefined,
    count: 2,
    read: readBracketed,
    write: ([x, y]) => `(${x},${y})`,
    expected: 'a point of two numbers',
  })
}

/** `line`, as `[a, b, c]` or `{ a, b, c }`. */
export function lineCodec(mode: 'tuple' | 'object'): ScalarCodec {
  return coordinatesCodec({
    names: mode === 'object' ? ['a', 'b', 'c'] : undefined,
    count: 3,
    read: readBracketed,
    write: ([a, b, c]) => `{${a},${b},${c}}`,
    expected: 'a line of three numbers a, b, c',
  })
}

/** PostGIS `geometry(point)`, as `[x, y]` or `{ x, y }`. */
export function geometryCodec(mode: 'tuple' | 'object'): ScalarCodec {
  return coordinatesCodec({
    names: mode === 'object' ? ['x', 'y'] : undefined,
    count: 2,
    read: readPointEwkb,
    write: ([x, y]) => `point(${x} ${y})`,
    expected: 'a point of two numbers',
  })
}

/** The point in PostGIS's extended well-known binary, in hexadecimal digits. */
function readPointEwkb(text: string): number[] {
  const bytes = Buffer.from(text, 'hex')
  const little = bytes[0] === 1
  const type = little ? bytes.readUInt32LE(1) : bytes.readUInt32BE(1)
  const hasSrid = (type & 0x2000_0000) !== 0
  if ((type & 0xffff) !== 1) throw valueInvalid(text, 'a geometry of type point')
  const at = hasSrid ? 9 : 5
  return little
    ? [bytes.readDoubleLE(at), bytes.readDoubleLE(at + 8)]
    : [bytes.readDoubleBE(at), bytes.readDoubleBE(at + 8)]
}

/** pgvector's `vector` and `halfvec`: arrays of numbers, whose text is JSON already. */
export function vectorCodec(length: number | undefined): ScalarCodec {
  const expected = length === undefined ? 'an array of numbers' : `an array of ${length} numbers`
  const check = (value: unknown): readonly number[] => {
    if (
      Array.isArray(value) &&
      (length === undefined || value.length === length) &&
      value.every((part) => typeof part === 'number' && Number.isFinite(part))
    ) {
      return value as readonly number[]
    }
    throw valueInvalid(value, expected)
  }
  return {
    json: 'json',
    value: 'json',
    decode: (text) => (text === '[]' ? [] : readBracketed(text)),
    encode: (value) => JSON.stringify(check(value)),
    parse: (text) => {
      let value: unknown
      try {
        value = JSON.parse(text)
      } catch (error) {
        throw valueInvalid(text, expected, error)
      }
      return check(value)
    },
    jsonSchema: {
      type: 'array',
      items: number,
      ...(length === undefined ? {} : { minItems: length, maxItems: length }),
    },
  }
}
