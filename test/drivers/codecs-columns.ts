// One file over 400 lines, because it is one table: a row for every column type of Drizzle.
import fc from 'fast-check'
import * as p from 'drizzle-orm/pg-core'
import type { PgColumnBuilder } from 'drizzle-orm/pg-core'

/** One column type, the values to send through it, and texts that only the database itself can make. */
export interface ColumnCase {
  readonly name: string
  readonly column: () => PgColumnBuilder
  readonly values: fc.Arbitrary<unknown>
  /** Put in by `text::type`, so that values which Drizzle cannot write are read all the same. */
  readonly texts?: readonly string[]
  /** Texts that PostgreSQL keeps and Drizzle fails to read. */
  readonly unreadable?: fc.Arbitrary<string>
  /** Drizzle writes a comma between the elements, which arrays of this type do not have there. */
  readonly otherDelimiter?: true
  /** Drizzle reads or writes a NULL among the elements of such arrays as 0, 1970, 'NULL' or not at all. */
  readonly nullElementsLost?: true
  /** Values that Drizzle cannot write, though PostgreSQL can keep them. */
  readonly notWrittenByDrizzle?: (value: unknown) => boolean
}

/** The name and members of the enum type that the tests create: every character that needs care. */
export const mood = p.pgEnum('codecs_mood', ['ok', 'so "so"', "it's", 'back\\slash', 'ä,{}', 'NULL', ''])

const storable = (text: string): boolean => !text.includes('\0') && text.isWellFormed()
const awkward = [
  '',
  ' ',
  'NULL',
  'null',
  '"',
  '\\',
  '\\"',
  '{}',
  ',',
  '\u2028\u2029',
  '\u0001\b\t\n\f\r\u001f\u007f',
  '😀 astral',
  "'; --",
  '</script>',
]
const text = fc.oneof(
  fc.constantFrom(...awkward),
  fc.string({ unit: 'binary' }).filter(storable),
  fc.string({ unit: 'binary-ascii', maxLength: 80 }).filter(storable),
  fc.string({ unit: 'grapheme-ascii', minLength: 7, maxLength: 200 }),
)
const digits = (most: number): fc.Arbitrary<string> =>
  fc.tuple(fc.bigInt({ min: -(10n ** BigInt(most)), max: 10n ** BigInt(most) }), fc.nat(30)).map(([whole, scale]) => {
    const sign = whole < 0n ? '-' : ''
    const all = String(whole < 0n ? -whole : whole).padStart(scale + 1, '0')
    return scale === 0 ? `${sign}${all}` : `${sign}${all.slice(0, -scale)}.${all.slice(-scale)}`
  })
const int64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n }
const instant = fc.date({
  min: new Date('0100-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})
const anyInstant = fc.oneof(
  instant,
  fc.date({
    min: new Date('-004000-01-01T00:00:00Z'),
    max: new Date('+200000-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  }),
)
/** Beyond four digits Drizzle sends a year as toISOString writes it, which PostgreSQL does not read. */
const strangeYear = (value: unknown): boolean => value instanceof Date && value.toISOString().length > 24
const day = instant.map((date) => date.toISOString().slice(0, 10))
const microseconds = fc
  .tuple(instant, fc.nat(999_999))
  .map(([date, micro]) => `${date.toISOString().slice(0, 19).replace('T', ' ')}.${String(micro).padStart(6, '0')}`)
const clock = fc
  .tuple(fc.nat(23), fc.nat(59), fc.nat(59), fc.nat(999_999))
  .map(
    ([h, m, s, f]) =>
      `${[h, m, s].map((part) => String(part).padStart(2, '0')).join(':')}.${String(f).padStart(6, '0')}`,
  )
const byte = fc.nat(255)
const address4 = fc.tuple(byte, byte, byte, byte).map((parts) => parts.join('.'))
const json = fc
  .oneof(
    fc.jsonValue({ maxDepth: 4 }),
    fc.dictionary(text, fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }))),
  )
  .filter((value) => {
    const written = JSON.stringify(value)
    // JSON.parse of V8 takes an escaped key for one with a backslash that it has read before (nodejs/node#63785).
    const keyWithBackslash = /"(?:[^"\\]|\\.)*\\\\(?:[^"\\]|\\.)*":/
    return value !== null && !/\\u0000|\\ud[89a-f]/i.test(written) && !keyWithBackslash.test(written)
  })
const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 })
const pair = fc.tuple(number, number)
const triple = fc.tuple(number, number, number).filter(([a]) => Math.abs(a) > 1e-6)

const timestampTexts = [
  'infinity',
  '-infinity',
  '0001-01-01 00:00:00',
  '0099-12-31 23:59:59.9',
  '0044-03-15 12:00:00 BC',
  '10000-01-01 00:00:00',
  '294276-12-31 23:59:59.999999',
  '1999-12-31 23:59:59.9999',
  '2024-02-29 00:00:00.000001',
]
const jsonTexts = [
  '-0',
  '[-0.0, -0e1, 0]',
  '1e400',
  '{"a": -1E+400, "b": "-0 1e400"}',
  ' { "a" : [ 1 , 2 ] } ',
  `{"long": ${'9'.repeat(400)}}`,
  '"esc \\" -0 \\\\"',
  '{"__proto__": 1}',
  'null',
  '"\\u2028"',
  '1.0',
  '0.10',
  '[0.5e-3]',
  `-0.${'0'.repeat(400)}1`,
]

const cents = p.customType<{ data: { cents: number }; driverData: string }>({
  dataType: () => 'numeric(20, 2)',
  fromDriver: (value) => ({ cents: Math.round(Number(value) * 100) }),
  toDriver: ({ cents: whole }) => (whole / 100).toFixed(2),
})
const moment = p.customType<{ data: number; driverData: Date; driverOutput: Date }>({
  dataType: () => 'timestamp (3) with time zone',
  codec: 'timestamp with time zone',
  fromDriver: (value) => value.getTime(),
  toDriver: (value) => new Date(value),
})
const bigId = p.customType<{ data: bigint; driverData: bigint }>({ dataType: () => 'int8', codec: 'int8' })
const bareBigId = p.customType<{ data: string }>({ dataType: () => 'int8' })
const bareText = p.customType<{ data: string }>({ dataType: () => 'character varying(400)' })
const bareJson = p.customType<{ data: unknown; driverData: string }>({
  dataType: () => 'jsonb',
  toDriver: (value) => JSON.stringify(value),
})
const bareInteger = p.customType<{ data: number }>({ dataType: () => 'int4' })
const bareCircle = p.customType<{ data: { x: number; y: number; radius: number }; driverData: string }>({
  dataType: () => 'circle',
  toDriver: ({ x, y, radius }) => `<(${x},${y}),${radius}>`,
})
const bareBox = p.customType<{ data: string }>({ dataType: () => 'box' })
const bareDate = p.customType<{ data: string }>({ dataType: () => 'date' })

/** Every column type that Drizzle has without an extension, in every mode. */
export const columnCases: readonly ColumnCase[] = [
  { name: 'smallint', column: () => p.smallint(), values: fc.integer({ min: -32768, max: 32767 }) },
  { name: 'smallserial', column: () => p.smallserial(), values: fc.integer({ min: -32768, max: 32767 }) },
  { name: 'integer', column: () => p.integer(), values: fc.integer(), texts: ['-2147483648', '2147483647'] },
  { name: 'serial', column: () => p.serial(), values: fc.integer() },
  {
    name: 'bigint as number',
    column: () => p.bigint({ mode: 'number' }),
    values: fc.maxSafeInteger(),
    texts: ['9223372036854775807', '-9223372036854775808'],
    nullElementsLost: true,
  },
  {
    name: 'bigint',
    column: () => p.bigint({ mode: 'bigint' }),
    values: fc.bigInt(int64),
    texts: ['-9223372036854775808', '0'],
    nullElementsLost: true,
  },
  { name: 'bigint as string', column: () => p.bigint({ mode: 'string' }), values: fc.bigInt(int64).map(String) },
  {
    name: 'bigserial as number',
    column: () => p.bigserial({ mode: 'number' }),
    values: fc.maxSafeInteger(),
    nullElementsLost: true,
  },
  {
    name: 'bigserial',
    column: () => p.bigserial({ mode: 'bigint' }),
    values: fc.bigInt(int64),
    nullElementsLost: true,
  },
  {
    name: 'numeric',
    column: () => p.numeric(),
    values: digits(400),
    texts: ['NaN', 'Infinity', '-Infinity', '1e-1000'],
  },
  {
    name: 'numeric(12, 3)',
    column: () => p.numeric({ precision: 12, scale: 3 }),
    values: fc.integer().map((n) => (n / 1000).toFixed(3)),
  },
  {
    name: 'numeric as number',
    column: () => p.numeric({ mode: 'number' }),
    values: fc.double(),
    texts: [
      '1e400',
      '-1e400',
      '1e-400',
      '-1e-400',
      '-1e-350',
      '123456789012345678901234567890.5',
      '0.1000',
      'NaN',
      '-Infinity',
    ],
    nullElementsLost: true,
  },
  {
    name: 'numeric as bigint',
    column: () => p.numeric({ mode: 'bigint' }),
    values: fc.oneof(fc.bigInt(), fc.bigInt({ min: -(10n ** 400n), max: 10n ** 400n }), fc.bigInt(int64)),
    texts: ['0', '-0', '1e15', '-1e16', '1e400'],
    unreadable: fc.oneof(
      fc.constantFrom('NaN', 'Infinity', '-Infinity', '1.5', '-0.1', '7.00', '0.000', '123456789012345.0'),
      fc.tuple(fc.bigInt(int64), fc.nat(99)).map(([whole, rest]) => `${whole}.${rest}`),
    ),
    nullElementsLost: true,
  },
  { name: 'real', column: () => p.real(), values: fc.float(), texts: ['-0', '1e-45', '3.4028235e38', '16777217'] },
  {
    name: 'double precision',
    column: () => p.doublePrecision(),
    values: fc.double(),
    texts: [
      '-0',
      '5e-324',
      '-5e-324',
      '1.7976931348623157e308',
      '0.1',
      '123456789.125',
      '1e15',
      '1e16',
      'NaN',
      'Infinity',
      '-Infinity',
    ],
  },
  { name: 'boolean', column: () => p.boolean(), values: fc.boolean() },
  { name: 'text', column: () => p.text(), values: text },
  {
    name: 'text with values',
    column: () => p.text({ enum: ['draft', 'published'] }),
    values: fc.constantFrom('draft', 'published'),
  },
  { name: 'varchar', column: () => p.varchar(), values: text },
  {
    name: 'varchar(300)',
    column: () => p.varchar({ length: 300 }),
    values: text.filter((value) => [...value].length <= 300),
  },
  {
    name: 'char(12)',
    column: () => p.char({ length: 12 }),
    values: text.map((value) => [...value].slice(0, 12).join('')),
  },
  { name: 'char', column: () => p.char(), values: fc.constantFrom('a', 'ä', '"', '\\', ' ') },
  { name: 'enum', column: () => mood(), values: fc.constantFrom(...mood.enumValues) },
  { name: 'uuid', column: () => p.uuid(), values: fc.uuid() },
  {
    name: 'date',
    column: () => p.date({ mode: 'date' }),
    values: anyInstant,
    texts: ['0001-01-01', '0044-03-15 BC', '10000-01-01', 'infinity', '-infinity', '2024-02-29', '1900-03-01'],
    nullElementsLost: true,
    notWrittenByDrizzle: strangeYear,
  },
  {
    name: 'date as string',
    column: () => p.date({ mode: 'string' }),
    values: day,
    texts: ['0044-03-15 BC', 'infinity'],
  },
  {
    name: 'timestamp',
    column: () => p.timestamp(),
    values: anyInstant,
    texts: timestampTexts,
    nullElementsLost: true,
    notWrittenByDrizzle: strangeYear,
  },
  { name: 'timestamp(2)', column: () => p.timestamp({ precision: 2 }), values: instant, nullElementsLost: true },
  {
    name: 'timestamp as string',
    column: () => p.timestamp({ mode: 'string' }),
    values: microseconds,
    texts: timestampTexts,
  },
  {
    name: 'timestamptz',
    column: () => p.timestamp({ withTimezone: true }),
    values: anyInstant,
    texts: timestampTexts,
    nullElementsLost: true,
    notWrittenByDrizzle: strangeYear,
  },
  {
    name: 'timestamptz as string',
    column: () => p.timestamp({ withTimezone: true, mode: 'string', precision: 6 }),
    values: microseconds.map((value) => `${value}+02`),
    texts: timestampTexts,
  },
  { name: 'time', column: () => p.time(), values: clock, texts: ['24:00:00'] },
  {
    name: 'timetz',
    column: () => p.time({ withTimezone: true, precision: 3 }),
    values: clock.map((value) => `${value}-05:30`),
  },
  {
    name: 'interval',
    column: () => p.interval(),
    values: fc
      .tuple(fc.integer({ min: -9999, max: 9999 }), fc.integer({ min: -99999, max: 99999 }), clock)
      .map(([months, days, time]) => `${months} months ${days} days ${time}`),
    texts: ['1 year 2 mons -3 days -04:05:06.789', '0', 'P1Y'],
  },
  { name: 'interval day to second', column: () => p.interval({ fields: 'day to second' }), values: clock },
  {
    name: 'json',
    column: () => p.json(),
    values: json,
    texts: [...jsonTexts, '{"a":1,"a":2}', '"\\ud800"', '"\\u0000"'],
  },
  { name: 'jsonb', column: () => p.jsonb(), values: json, texts: jsonTexts },
  { name: 'bytea', column: () => p.bytea(), values: fc.uint8Array().map((bytes) => Buffer.from(bytes)) },
  {
    name: 'inet',
    column: () => p.inet(),
    values: fc.oneof(
      address4,
      fc.ipV6(),
      address4.map((address) => `${address}/7`),
    ),
  },
  {
    name: 'cidr',
    column: () => p.cidr(),
    values: fc.oneof(address4, fc.constantFrom('10.0.0.0/8', '2001:db8::/32', '::/0')),
  },
  { name: 'macaddr', column: () => p.macaddr(), values: fc.constantFrom('08:00:2b:01:02:03', '08-00-2b-01-02-ff') },
  {
    name: 'macaddr8',
    column: () => p.macaddr8(),
    values: fc.constantFrom('08:00:2b:01:02:03:04:05', '08:00:2b:01:02:03'),
  },
  {
    name: 'point',
    column: () => p.point(),
    values: pair,
    texts: ['(NaN,Infinity)', '(-0,1e-300)'],
    nullElementsLost: true,
  },
  {
    name: 'point as object',
    column: () => p.point({ mode: 'xy' }),
    values: pair.map(([x, y]) => ({ x, y })),
    nullElementsLost: true,
  },
  { name: 'line', column: () => p.line(), values: triple, nullElementsLost: true },
  {
    name: 'line as object',
    column: () => p.line({ mode: 'abc' }),
    values: triple.map(([a, b, c]) => ({ a, b, c })),
    nullElementsLost: true,
  },
  {
    name: 'bit(9)',
    column: () => p.bit({ dimensions: 9 }),
    values: fc.nat(511).map((n) => n.toString(2).padStart(9, '0')),
    nullElementsLost: true,
  },
  {
    name: 'custom type with both directions',
    column: () => cents(),
    values: fc.integer({ min: -1e9, max: 1e9 }).map((whole) => ({ cents: whole })),
  },
  {
    name: 'custom type on a codec',
    column: () => moment(),
    values: instant.map((date) => date.getTime()),
    nullElementsLost: true,
  },
  { name: 'custom type that is a codec', column: () => bigId(), values: fc.bigInt(int64), nullElementsLost: true },
  { name: 'bare custom type: bigint', column: () => bareBigId(), values: fc.bigInt(int64).map(String) },
  {
    name: 'bare custom type: text',
    column: () => bareText(),
    values: text.filter((value) => [...value].length <= 400),
  },
  { name: 'bare custom type: jsonb', column: () => bareJson(), values: json },
  { name: 'bare custom type: integer', column: () => bareInteger(), values: fc.integer() },
  {
    name: 'bare custom type: circle',
    column: () => bareCircle(),
    values: fc.tuple(fc.nat(), fc.nat(), fc.nat()).map(([x, y, radius]) => ({ x, y, radius })),
  },
  {
    name: 'bare custom type: box',
    column: () => bareBox(),
    values: fc.constantFrom('(2,2),(1,1)', '(0.5,7),(0,-1)'),
    otherDelimiter: true,
  },
  { name: 'bare custom type: date', column: () => bareDate(), values: day },
]
