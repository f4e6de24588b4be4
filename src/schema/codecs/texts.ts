import { isIPv4, isIPv6 } from 'node:net'
import { listNames } from '../../core/errors.ts'
import { valueInvalid, type ScalarCodec } from './scalar-codec.ts'

/** PostgreSQL keeps no NUL in text, and UTF-8 has no half of a surrogate pair. */
function checkUrlText(text: string): string {
  if (text.includes('\0')) throw valueInvalid(text, 'text without the character NUL')
  if (!text.isWellFormed()) throw valueInvalid(text.toWellFormed(), 'well-formed Unicode text')
  return text
}

function checkText(value: unknown): string | number | bigint | boolean {
  switch (typeof value) {
    case 'string':
      if (value.includes('\0')) throw valueInvalid(value, 'text without the character NUL')
      return value
    case 'number':
    case 'bigint':
    case 'boolean':
      return value
    default:
      throw valueInvalid(value, 'text')
  }
}

/** `text`, `varchar`, `char`, with the values that Drizzle's `enum` option allows in URLs, when there are any. */
export function textCodec(enumValues: readonly string[] | undefined): ScalarCodec {
  const members = enumValues?.length ? enumValues : undefined
  return {
    json: 'text',
    value: 'text',
    decode: String,
    encode: checkText,
    parse: members ? (text) => checkMember(text, members) : checkUrlText,
    jsonSchema: members ? { type: 'string', enum: members } : { type: 'string' },
  }
}

/** A PostgreSQL enum type. */
export function enumCodec(members: readonly string[]): ScalarCodec {
  return {
    json: 'text',
    value: 'text',
    decode: String,
    encode: (value) => checkMember(value, members),
    parse: (text) => checkMember(text, members),
    jsonSchema: { type: 'string', enum: members },
  }
}

function checkMember(value: unknown, members: readonly string[]): string {
  if (typeof value === 'string' && members.includes(value)) return value
  throw valueInvalid(value, `one of ${listNames(members)}`)
}

interface PlainTextOptions {
  /** What the text is, for the error: `a UUID such as …`. */
  readonly expected: string
  /** True when a text from a URL is a value of the type. */
  readonly accepts: (text: string) => boolean
  readonly jsonSchema: Readonly<Record<string, unknown>>
  readonly normalise?: (text: string) => string
}

/** A type that Drizzle reads as the database's own text, which holds no character that JSON escapes. */
export function plainTextCodec(options: PlainTextOptions): ScalarCodec {
  return {
    json: 'string',
    value: 'text',
    decode: String,
    encode: checkText,
    parse: (text) => {
      if (!options.accepts(text)) throw valueInvalid(text, options.expected)
      return options.normalise ? options.normalise(text) : text
    },
    jsonSchema: options.jsonSchema,
  }
}

const uuidText = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const anyUuid = /^\{?[0-9a-f]{4}(?:-?[0-9a-f]{4}){7}\}?$/i

/** `uuid`. */
export function uuidCodec(): ScalarCodec {
  const expected = 'a UUID such as 123e4567-e89b-12d3-a456-426614174000'
  return {
    ...plainTextCodec({
      expected,
      accepts: (text) => uuidText.test(text),
      normalise: (text) => text.toLowerCase(),
      jsonSchema: { type: 'string', format: 'uuid' },
    }),
    encode: (value) => {
      if (typeof value === 'string' && anyUuid.test(value)) return value
      throw valueInvalid(value, expected)
    },
  }
}

/** `inet` and `cidr`; a cidr has no bits set to the right of its mask. */
export function networkCodec(type: 'inet' | 'cidr'): ScalarCodec {
  return plainTextCodec({
    expected: type === 'inet' ? 'an IP address such as 192.0.2.1 or 2001:db8::/32' : 'a network such as 192.0.2.0/24',
    accepts: (text) => isNetwork(text, type === 'cidr'),
    jsonSchema: { type: 'string' },
  })
}

function isNetwork(text: string, strict: boolean): boolean {
  const [address = '', mask, ...rest] = text.split('/')
  const bits = isIPv4(address) ? 32 : isIPv6(address) && !address.includes('%') ? 128 : 0
  if (bits === 0 || rest.length > 0 || (mask !== undefined && !/^\d{1,3}$/.test(mask))) return false
  const length = mask === undefined ? bits : Number(mask)
  if (length > bits) return false
  return !strict || addressBits(address, bits) % (1n << BigInt(bits - length)) === 0n
}

/** The address as one integer, through the URL parser's canonical spelling of IPv6. */
function addressBits(address: string, bits: 32 | 128): bigint {
  const fold = (parts: readonly number[], width: bigint): bigint =>
    parts.reduce((all, part) => (all << width) | BigInt(part), 0n)
  if (bits === 32) return fold(address.split('.').map(Number), 8n)
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const [left, right] = [groups(head), groups(tail ?? '')]
  return fold([...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right], 16n)
}

/** `macaddr` (6 bytes) and `macaddr8` (8 bytes). */
export function macaddrCodec(bytes: 6 | 8): ScalarCodec {
  const pattern = new RegExp(`^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\\1[0-9a-f]{2}){${bytes - 2}}$`, 'i')
  return plainTextCodec({
    expected: `a MAC address of ${bytes} bytes such as ${bytes === 6 ? '08:00:2b:01:02:03' : '08:00:2b:01:02:03:04:05'}`,
    accepts: (text) => pattern.test(text),
    normalise: (text) => text.toLowerCase(),
    jsonSchema: { type: 'string' },
  })
}

/** `bit(length)`. */
export function bitCodec(length: number | undefined): ScalarCodec {
  return plainTextCodec({
    expected: length === undefined ? 'a string of 0 and 1' : `a string of ${length} times 0 or 1`,
    accepts: (text) => /^[01]+$/.test(text) && (length === undefined || text.length === length),
    jsonSchema: { type: 'string', pattern: '^[01]*$' },
  })
}

/** pgvector's `sparsevec`. */
export function sparsevecCodec(): ScalarCodec {
  return plainTextCodec({
    expected: 'a sparse vector such as {1:0.5,3:2}/5',
    accepts: (text) => /^\{(?:\d{1,9}:-?\d+(?:\.\d+)?(?:,\d{1,9}:-?\d+(?:\.\d+)?)*)?\}\/\d{1,9}$/.test(text),
    jsonSchema: { type: 'string' },
  })
}
