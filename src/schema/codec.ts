import { arrayCodec, arrayDelimiter } from './codecs/array-codec.ts'
import { customCodec } from './codecs/custom-codec.ts'
import { booleanCodec, byteaCodec, jsonCodec } from './codecs/documents.ts'
import { driverCodec } from './codecs/driver-types.ts'
import { bigintCodec, floatCodec, integerCodec, numericCodec } from './codecs/numbers.ts'
import { wireText, type ScalarCodec, type ScalarWire } from './codecs/scalar-codec.ts'
import { geometryCodec, lineCodec, pointCodec, vectorCodec } from './codecs/shapes.ts'
import {
  bitCodec,
  enumCodec,
  macaddrCodec,
  networkCodec,
  sparsevecCodec,
  textCodec,
  uuidCodec,
} from './codecs/texts.ts'
import { dateCodec, intervalCodec, timeCodec, timestampCodec } from './codecs/times.ts'
import type { Codec } from './model.ts'
import { castType } from './sql-type.ts'
import type { ColumnFacts } from './table-facts.ts'

/** By Drizzle's own name of the codec, so that every mode of a column type has its line. */
const scalarCodecs: Readonly<Record<string, (facts: ColumnFacts) => ScalarCodec>> = {
  smallint: () => integerCodec(16),
  smallserial: () => integerCodec(16),
  int: () => integerCodec(32),
  serial: () => integerCodec(32),
  bigint: () => bigintCodec('bigint'),
  'bigint:number': () => bigintCodec('number'),
  'bigint:string': () => bigintCodec('string'),
  bigserial: () => bigintCodec('bigint'),
  'bigserial:number': () => bigintCodec('number'),
  numeric: ({ name }) => numericCodec('string', name),
  'numeric:number': ({ name }) => numericCodec('number', name),
  'numeric:bigint': ({ name }) => numericCodec('bigint', name),
  float4: () => floatCodec('single'),
  float8: () => floatCodec('double'),
  bool: () => booleanCodec(),
  text: (facts) => textCodec(facts.enumValues),
  varchar: (facts) => textCodec(facts.enumValues),
  char: (facts) => textCodec(facts.enumValues),
  enum: (facts) => (facts.enumValues ? enumCodec(facts.enumValues) : textCodec(undefined)),
  uuid: () => uuidCodec(),
  inet: () => networkCodec('inet'),
  cidr: () => networkCodec('cidr'),
  macaddr: () => macaddrCodec(6),
  macaddr8: () => macaddrCodec(8),
  bit: (facts) => bitCodec(facts.length),
  date: () => dateCodec('date'),
  'date:string': () => dateCodec('string'),
  timestamp: () => timestampCodec('timestamp', 'date'),
  'timestamp:string': () => timestampCodec('timestamp', 'string'),
  timestamptz: () => timestampCodec('timestamptz', 'date'),
  'timestamptz:string': () => timestampCodec('timestamptz', 'string'),
  time: () => timeCodec(false),
  timetz: () => timeCodec(true),
  interval: () => intervalCodec(),
  json: () => jsonCodec('json'),
  jsonb: () => jsonCodec('jsonb'),
  bytea: () => byteaCodec(),
  point: () => pointCodec('object'),
  'point:tuple': () => pointCodec('tuple'),
  line: () => lineCodec('object'),
  'line:tuple': () => lineCodec('tuple'),
  'geometry(point)': () => geometryCodec('object'),
  'geometry(point):tuple': () => geometryCodec('tuple'),
  vector: (facts) => vectorCodec(facts.length),
  halfvec: (facts) => vectorCodec(facts.length),
  sparsevec: () => sparsevecCodec(),
}

/** Makes the codec of a column: what Drizzle on `pg` does with its values, and how its text becomes JSON. */
export function createCodec(facts: ColumnFacts): Codec {
  const scalar =
    (facts.codec === undefined ? undefined : scalarCodecs[facts.codec]) ?? (() => driverCodec(facts.sqlType))
  const base = scalar(facts)
  const sqlType = castType(facts.sqlType)
  const delimiter = arrayDelimiter(sqlType)
  const parts = facts.custom
    ? customCodec(facts, { base, delimiter })
    : facts.dimensions > 0
      ? arrayCodec(base, { dimensions: facts.dimensions, delimiter })
      : { ...base, encode: (value: unknown) => (value === null || value === undefined ? null : base.encode(value)) }
  const { encode } = parts
  return Object.freeze<Codec>({
    json: parts.json,
    value: parts.value,
    decode: parts.decode,
    encode,
    encodeText: (value) => {
      const wire = encode(value) as ScalarWire
      return wire === null ? null : wireText(wire)
    },
    parse: parts.parse,
    sqlType: `${sqlType}${'[]'.repeat(facts.dimensions)}`,
    jsonSchema: Object.freeze(parts.jsonSchema),
  })
}
