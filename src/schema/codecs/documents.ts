import { isSql, valueInvalid, type ScalarCodec } from './scalar-codec.ts'

/** `boolean`. */
export function booleanCodec(): ScalarCodec {
  return {
    json: 'boolean',
    value: 'boolean',
    decode: (text) => text === 't',
    encode: (value) => {
      if (typeof value === 'boolean' || value === 'true' || value === 'false') return value
      throw valueInvalid(value, 'true or false')
    },
    parse: (text) => {
      if (text === 'true' || text === 'false') return text === 'true'
      throw valueInvalid(text, 'true or false')
    },
    jsonSchema: { type: 'boolean' },
  }
}

/** A NUL as JSON spells it: an odd number of backslashes before `u0000`. */
const spelledNul = /(?<!\\)(?:\\\\)*\\u0000/

/** `json` and `jsonb`, of which only `json` keeps a NUL. A JavaScript null is SQL's NULL, as with Drizzle. */
export function jsonCodec(type: 'json' | 'jsonb'): ScalarCodec {
  return {
    json: 'json',
    value: 'json',
    decode: (text) => JSON.parse(text) as unknown,
    encode: (value) => {
      // Drizzle SQL would be kept as the JSON of its parts.
      if (isSql(value)) throw valueInvalid('SQL', 'a value that JSON can hold')
      let text: string | undefined
      try {
        text = JSON.stringify(value)
      } catch (error) {
        throw valueInvalid(Object.prototype.toString.call(value), 'a value that JSON can hold', error)
      }
      if (text === undefined) throw valueInvalid(String(value), 'a value that JSON can hold')
      if (type === 'jsonb' && text.includes('u0000') && spelledNul.test(text)) {
        throw valueInvalid(value, 'a value that jsonb can hold: its texts have no character NUL')
      }
      return text
    },
    parse: (text) => {
      try {
        // jsonb keeps neither NUL nor half of a surrogate pair, however they are spelled.
        const value: unknown = JSON.parse(text, (_key, inner: unknown) => {
          if (typeof inner === 'string' && (inner.includes('\0') || !inner.isWellFormed()))
            throw new SyntaxError('not storable')
          return inner
        })
        return value
      } catch (error) {
        throw valueInvalid(text, 'JSON', error)
      }
    },
    jsonSchema: {},
  }
}

/** `bytea`, a Buffer. As JSON it is what `Buffer.prototype.toJSON` makes of it. */
export function byteaCodec(): ScalarCodec {
  return {
    json: 'value',
    value: 'value',
    decode: (text) => Buffer.from(text.slice(2), 'hex'),
    encode: (value) => {
      if (Buffer.isBuffer(value)) return value
      if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      if (typeof value === 'string') return value
      throw valueInvalid(value, 'a Buffer')
    },
    parse: (text) => {
      const digits = text.startsWith('\\x') ? text.slice(2) : text
      if (/^(?:[0-9a-f]{2})*$/i.test(digits)) return Buffer.from(digits, 'hex')
      throw valueInvalid(text, 'bytes in hexadecimal digits')
    },
    jsonSchema: {
      type: 'object',
      properties: {
        type: { const: 'Buffer' },
        data: { type: 'array', items: { type: 'integer', minimum: 0, maximum: 255 } },
      },
      required: ['type', 'data'],
    },
  }
}
