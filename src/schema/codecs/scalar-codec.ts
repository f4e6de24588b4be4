import { PlimsollError, showValue } from '../../core/errors.ts'
import type { Codec } from '../model.ts'

/** A value as the wire takes it, when it is no array. */
export type ScalarWire = string | number | bigint | boolean | Buffer | null

/** The codec of one value; arrays are made from it. `encode` is never called with null. */
export interface ScalarCodec extends Pick<Codec, 'json' | 'value' | 'decode' | 'parse' | 'jsonSchema'> {
  encode(value: unknown): ScalarWire
}

/** The error for a value that does not fit; `expected` continues "is not …": `an integer from 0 to 9`. */
export function valueInvalid(value: unknown, expected: string, cause?: unknown): PlimsollError {
  return new PlimsollError('PLIMSOLL_VALUE_INVALID', `${showValue(value)} is not ${expected}.`, {
    details: { expected },
    cause,
  })
}

/** True for Drizzle SQL and all that turns into it, which no codec can bind as a value. */
export function isSql(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'getSQL' in value && typeof value.getSQL === 'function'
}

/** The text of a wire value in PostgreSQL's own format. */
export function wireText(value: Exclude<ScalarWire, null>): string {
  return Buffer.isBuffer(value) ? `\\x${value.toString('hex')}` : String(value)
}

/** What `pg` makes of a value that no codec has touched: objects become JSON, dates ISO text in UTC. */
export function plainWire(value: unknown): ScalarWire {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return value
    case 'undefined':
      return null
    case 'object': {
      if (value === null || Buffer.isBuffer(value)) return value
      if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      if (value instanceof Date) return value.toISOString()
      const toPostgres = (value as { toPostgres?: unknown }).toPostgres
      return typeof toPostgres === 'function' ? plainWire(toPostgres.call(value, plainWire)) : JSON.stringify(value)
    }
    default:
      throw valueInvalid(String(value), 'a value that a database can keep')
  }
}
