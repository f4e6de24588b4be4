import { PlimsollError, showValue } from '../../core/errors.ts'
import { valueInvalid, type ScalarCodec } from './scalar-codec.ts'

const wholeNumber = /^-?\d+$/
const decimalNumber = /^-?(?:\d+\.?\d*|\.\d+)$/
const floatNumber = /^-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i
/** What PostgreSQL's numeric and float types accept beside digits. */
const numericText = /^\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf(?:inity)?)\s*$/i

const int64: readonly [bigint, bigint] = [-(2n ** 63n), 2n ** 63n - 1n]

/** Longer numbers from a URL are refused: PostgreSQL's own limit, 131,072 digits, is far above what anyone types. */
const mostDigits = 1000

function checkWhole(value: unknown, [least, most]: readonly [bigint, bigint]): string | number | bigint {
  const expected = `an integer from ${least} to ${most}`
  if (typeof value === 'number' && !Number.isInteger(value)) throw valueInvalid(String(value), expected)
  if (typeof value === 'string' && (value.length > 40 || !wholeNumber.test(value))) throw valueInvalid(value, expected)
  if (typeof value !== 'number' && typeof value !== 'string' && typeof value !== 'bigint')
    throw valueInvalid(value, expected)
  const whole = BigInt(value)
  if (whole < least || whole > most) throw valueInvalid(value, expected)
  // A large number would be written with an exponent, which integer types do not read.
  return typeof value === 'number' && Math.abs(value) >= 1e21 ? whole : value
}

/** `smallint`, `integer` and their serials: JavaScript numbers of `bits` bits. */
export function integerCodec(bits: 16 | 32): ScalarCodec {
  const range = [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n] as const
  const [least, most] = [Number(range[0]), Number(range[1])]
  return {
    json: 'number',
    value: 'int',
    decode: (text) => Number.parseInt(text, 10),
    encode: (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
        ? value
        : checkWhole(value, range),
    parse: (text) => Number(checkWhole(text, range)),
    jsonSchema: { type: 'integer', minimum: least, maximum: most },
  }
}

/** `bigint` in Drizzle's three modes. As JSON a BigInt is a string of digits. */
export function bigintCodec(mode: 'number' | 'bigint' | 'string'): ScalarCodec {
  const shared = { encode: (value: unknown) => checkWhole(value, int64) }
  if (mode === 'number') {
    return {
      ...shared,
      json: 'number',
      value: 'int',
      decode: Number,
      parse: (text) => {
        const whole = BigInt(checkWhole(text, int64))
        return Number.isSafeInteger(Number(whole)) ? Number(whole) : whole
      },
      jsonSchema: { type: 'integer', format: 'int64' },
    }
  }
  const jsonSchema = { type: 'string', pattern: '^-?[0-9]+$' }
  return mode === 'bigint'
    ? {
        ...shared,
        json: 'string',
        value: 'bigint',
        decode: BigInt,
        parse: (text) => BigInt(checkWhole(text, int64)),
        jsonSchema,
      }
    : {
        ...shared,
        json: 'string',
        value: 'text',
        decode: String,
        parse: (text) => String(BigInt(checkWhole(text, int64))),
        jsonSchema,
      }
}

function checkNumeric(value: unknown, expected: string): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (typeof value === 'string' && numericText.test(value)) return value
  throw valueInvalid(value, expected)
}

/** `numeric` in Drizzle's three modes; text keeps every digit. `column` names the column in the error of an unreadable value. */
export function numericCodec(mode: 'string' | 'number' | 'bigint', column: string): ScalarCodec {
  const parseDecimal = (text: string): string => {
    if (decimalNumber.test(text) && text.length <= mostDigits) return text
    throw valueInvalid(text, `a decimal number of at most ${mostDigits} digits, such as 12.50`)
  }
  const encode = (value: unknown): string => checkNumeric(value, 'a decimal number')
  if (mode === 'number') {
    return {
      json: 'float',
      value: 'float',
      decode: Number,
      encode,
      parse: (text) => Number(parseDecimal(text)),
      jsonSchema: { type: 'number' },
    }
  }
  if (mode === 'bigint') {
    const parseWhole = (text: string): bigint => {
      if (wholeNumber.test(text) && text.length <= mostDigits) return BigInt(text)
      throw valueInvalid(text, `a whole number of at most ${mostDigits} digits`)
    }
    return {
      // The long way for rows and for JSON, so that what BigInt does not read fails the same way in both.
      json: 'value',
      value: 'value',
      decode: (text) => {
        if (wholeNumber.test(text)) return BigInt(text)
        throw new PlimsollError(
          'PLIMSOLL_VALUE_UNREADABLE',
          `The column ${column} holds ${showValue(text)}, and its mode 'bigint' reads whole numbers only; declare it as numeric() or with mode 'number'.`,
          { details: { column } },
        )
      },
      encode,
      parse: parseWhole,
      jsonSchema: { type: 'string', pattern: '^-?[0-9]+$' },
    }
  }
  return {
    json: 'string',
    value: 'text',
    decode: String,
    encode,
    parse: parseDecimal,
    jsonSchema: { type: 'string', format: 'decimal' },
  }
}

/** `real` and `double precision`. NaN and the infinities are null in JSON, as JSON.stringify has it. */
export function floatCodec(precision: 'single' | 'double'): ScalarCodec {
  const expected = precision === 'single' ? 'a number that fits a 4-byte float' : 'a number that fits an 8-byte float'
  return {
    json: 'float',
    value: 'float',
    decode: Number.parseFloat,
    encode: (value) => (typeof value === 'number' ? value : checkNumeric(value, 'a number')),
    parse: (text) => {
      const value = floatNumber.test(text) ? Number(text) : Number.NaN
      const kept = precision === 'single' ? Math.fround(value) : value
      if (!Number.isFinite(kept) || (kept === 0 && value !== 0)) throw valueInvalid(text, expected)
      return value
    },
    jsonSchema: { type: 'number' },
  }
}
