import { PlimsollError } from '../../core/errors.ts'
import type { Codec } from '../model.ts'
import type { ColumnFacts } from '../table-facts.ts'
import { arrayCodec, encodeItems } from './array-codec.ts'
import { formatArrayText } from './array-text.ts'
import { driverParser } from './driver-types.ts'
import { isSql, plainWire, valueInvalid, type ScalarCodec, type ScalarWire } from './scalar-codec.ts'

interface CustomOptions {
  /** What Drizzle's codec, or `pg`, makes of one value before `fromDriver` sees it. */
  readonly base: ScalarCodec
  readonly delimiter: string
}

/** The codec of Drizzle's `customType`: its `fromDriver` and `toDriver` around what the driver reads and writes. */
export function customCodec(
  facts: ColumnFacts,
  { base, delimiter }: CustomOptions,
): Omit<Codec, 'sqlType' | 'encodeText'> {
  const { dimensions, fromDriver, toDriver } = facts
  // Drizzle hands JSON to the driver as text, and everything else as `toDriver` gives it.
  const isJson = facts.codec === 'json' || facts.codec === 'jsonb'
  const encodeOne = isJson || !toDriver ? base.encode : plainWire
  const driver =
    dimensions === 0 ? base : { ...base, ...arrayCodec({ ...base, encode: encodeOne }, { dimensions, delimiter }) }
  const decodeDriver =
    dimensions > 0 && facts.codec === undefined
      ? driverParser(`${facts.sqlType}${'[]'.repeat(dimensions)}`)
      : driver.decode
  const decode = fromDriver ? (text: string) => fromDriver(decodeDriver(text)) : decodeDriver
  const encode = (value: unknown): ScalarWire => {
    if (value === null || value === undefined) return null
    const written = toDriver ? toDriver(value) : value
    if (written === null || written === undefined) return null
    refuseSql(facts, written)
    if (dimensions === 0) return encodeOne(written)
    if (Array.isArray(written)) return formatArrayText(encodeItems(written, dimensions, encodeOne), delimiter)
    return plainWire(written)
  }
  return {
    json: fromDriver || dimensions > 0 ? 'value' : base.json,
    value: fromDriver || dimensions > 0 ? 'value' : base.value,
    decode,
    encode,
    parse: (text) => {
      const driverValue = driver.parse(text)
      if (!fromDriver) return driverValue
      try {
        const wire = driver.encode(driverValue)
        return decode(wire === null ? text : typeof wire === 'boolean' ? (wire ? 't' : 'f') : String(wire))
      } catch (error) {
        throw valueInvalid(text, `a value of the type ${facts.sqlType}`, error)
      }
    },
    jsonSchema: fromDriver ? {} : driver.jsonSchema,
  }
}

function refuseSql(facts: ColumnFacts, written: unknown): void {
  if (!isSql(written)) return
  throw new PlimsollError(
    'PLIMSOLL_FEATURE_UNSUPPORTED',
    `The custom type of the column ${facts.name} turns values into SQL, and Plimsoll only binds values. ` +
      'Return a plain value from toDriver, or write this column with db.drizzle.',
    { details: { column: facts.name } },
  )
}
