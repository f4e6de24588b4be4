import pg from 'pg'
import { castType } from '../sql-type.ts'
import { booleanCodec, byteaCodec, jsonCodec } from './documents.ts'
import { bigintCodec, floatCodec, integerCodec } from './numbers.ts'
import { plainWire, type ScalarCodec } from './scalar-codec.ts'
import { textCodec } from './texts.ts'

/**
 * The object ids of built-in types and of their arrays whose text `pg` parses. Dates, times and intervals are missing on
 * purpose: Drizzle asks `pg` for their text.
 */
const objectIds: Readonly<Record<string, readonly [scalar: number, array: number]>> = {
  boolean: [16, 1000],
  bytea: [17, 1001],
  bigint: [20, 1016],
  smallint: [21, 1005],
  integer: [23, 1007],
  text: [25, 1009],
  oid: [26, 1028],
  json: [114, 199],
  point: [600, 1017],
  cidr: [650, 651],
  real: [700, 1021],
  'double precision': [701, 1022],
  circle: [718, 719],
  money: [790, 791],
  macaddr: [829, 1040],
  inet: [869, 1041],
  bpchar: [1042, 1014],
  varchar: [1043, 1015],
  'time without time zone': [1083, 1183],
  'time with time zone': [1266, 1270],
  uuid: [2950, 2951],
  jsonb: [3802, 3807],
  numrange: [3906, 3907],
}

/** The value that `pg` itself gives for the text of a type, by the type's name, since a schema knows no object ids. */
export function driverParser(sqlType: string): (text: string) => unknown {
  const isArray = sqlType.endsWith('[]')
  const ids = objectIds[castType(sqlType.replace(/(?:\[\])+$/, ''))]
  const id = ids?.[isArray ? 1 : 0]
  return id === undefined ? String : (pg.types.getTypeParser(id, 'text') as (text: string) => unknown)
}

/** The codec of a type that Drizzle leaves to `pg`: a custom type that names no codec. */
export function driverCodec(sqlType: string): ScalarCodec {
  switch (castType(sqlType)) {
    case 'smallint':
      return integerCodec(16)
    case 'integer':
      return integerCodec(32)
    case 'bigint':
      return bigintCodec('string')
    case 'real':
      return floatCodec('single')
    case 'double precision':
      return floatCodec('double')
    case 'boolean':
      return booleanCodec()
    case 'json':
      return jsonCodec('json')
    case 'jsonb':
      return jsonCodec('jsonb')
    case 'bytea':
      return byteaCodec()
    default: {
      const decode = driverParser(sqlType)
      const text = textCodec(undefined)
      return decode === String
        ? { ...text, encode: plainWire }
        : { ...text, json: 'value', value: 'value', decode, encode: plainWire, jsonSchema: {} }
    }
  }
}
