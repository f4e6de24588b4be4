import { defineRelations, sql } from 'drizzle-orm'
import * as p from 'drizzle-orm/pg-core'
import { describe, expect, test } from 'vitest'
import { isPlimsollError } from '../../../src/core/errors.ts'
import { buildModelGraph } from '../../../src/schema/index.ts'
import type { Codec } from '../../../src/schema/model.ts'

function codecOf(column: unknown): Codec {
  const table = p.pgTable('t', { v: column as p.PgColumnBuilder })
  return buildModelGraph(defineRelations({ t: table }))
    .models.get('t')!
    .columns.get('v')!.codec
}

function refusal(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (isPlimsollError(error, 'PLIMSOLL_VALUE_INVALID')) return error.message
    throw error
  }
  throw new Error('was accepted')
}

test('there is a codec for every column builder that Drizzle has', () => {
  const builders: string[] = []
  p.pgTable('t', (b) => {
    builders.push(...Object.keys(b))
    return { v: b.text() }
  })
  const covered = [
    'bigint',
    'bigserial',
    'boolean',
    'bytea',
    'char',
    'cidr',
    'customType',
    'date',
    'doublePrecision',
    'inet',
    'integer',
    'interval',
    'json',
    'jsonb',
    'line',
    'macaddr',
    'macaddr8',
    'numeric',
    'point',
    'geometry',
    'real',
    'serial',
    'smallint',
    'smallserial',
    'text',
    'time',
    'timestamp',
    'uuid',
    'varchar',
    'bit',
    'halfvec',
    'sparsevec',
    'vector',
  ]
  expect(builders.filter((name) => !covered.includes(name) && name !== 'decimal')).toEqual([])
})

const mood = p.pgEnum('mood', ['calm', 'rough'])
const twoWay = p.customType<{ data: { n: number }; driverData: string }>({
  dataType: () => 'integer',
  fromDriver: (value) => ({ n: Number(value) }),
  toDriver: ({ n }) => String(n),
})

describe('text from a URL becomes a value', () => {
  test.each<[name: string, column: unknown, text: string, value: unknown]>([
    ['smallint', p.smallint(), '-32768', -32768],
    ['integer', p.integer(), '007', 7],
    ['bigint', p.bigint({ mode: 'bigint' }), '9223372036854775807', 9223372036854775807n],
    ['bigint as number', p.bigint({ mode: 'number' }), '42', 42],
    [
      'bigint as number, beyond what a number holds',
      p.bigint({ mode: 'number' }),
      '9007199254740993',
      9007199254740993n,
    ],
    ['bigint as string', p.bigint({ mode: 'string' }), '0042', '42'],
    ['numeric', p.numeric(), '12.50', '12.50'],
    ['numeric as number', p.numeric({ mode: 'number' }), '.5', 0.5],
    ['numeric as bigint', p.numeric({ mode: 'bigint' }), '-12', -12n],
    ['real', p.real(), '1e3', 1000],
    ['double', p.doublePrecision(), '-0.25', -0.25],
    ['boolean', p.boolean(), 'false', false],
    ['text', p.text(), 'ä "\\ 😀', 'ä "\\ 😀'],
    ['text with values', p.text({ enum: ['a', 'b'] }), 'a', 'a'],
    ['enum', mood(), 'rough', 'rough'],
    ['uuid', p.uuid(), '123E4567-e89b-12d3-a456-426614174000', '123e4567-e89b-12d3-a456-426614174000'],
    ['date', p.date(), '2024-02-29', '2024-02-29'],
    ['date as Date', p.date({ mode: 'date' }), '2024-02-29', new Date('2024-02-29')],
    ['timestamptz', p.timestamp({ withTimezone: true }), '2026-01-31T12:30:00+02:00', new Date('2026-01-31T10:30:00Z')],
    [
      'timestamptz with a plus that nobody encoded',
      p.timestamp({ withTimezone: true }),
      '2026-01-31T12:30:00 02:00',
      new Date('2026-01-31T10:30:00Z'),
    ],
    ['timestamptz by day', p.timestamp({ withTimezone: true }), '2026-01-31', new Date('2026-01-31T00:00:00Z')],
    [
      'timestamptz across midnight',
      p.timestamp({ withTimezone: true }),
      '2026-01-01T00:30-01',
      new Date('2026-01-01T01:30:00Z'),
    ],
    [
      'timestamptz with microseconds',
      p.timestamp({ withTimezone: true }),
      '2026-01-31T12:30:00.123456Z',
      '2026-01-31T12:30:00.123456Z',
    ],
    ['timestamp', p.timestamp(), '2026-01-31 12:30', new Date('2026-01-31T12:30:00Z')],
    [
      'timestamp as string',
      p.timestamp({ mode: 'string' }),
      '2026-01-31T23:30:00.5-01:00',
      '2026-02-01T00:30:00.500000Z',
    ],
    ['time', p.time(), '23:59:59.5', '23:59:59.5'],
    ['timetz', p.time({ withTimezone: true }), '12:00+02:00', '12:00+02:00'],
    ['interval', p.interval(), 'P1DT2H', 'P1DT2H'],
    ['interval in words', p.interval(), '1 day 02:00:00', '1 day 02:00:00'],
    ['inet', p.inet(), '2001:db8::1/64', '2001:db8::1/64'],
    ['cidr', p.cidr(), '10.0.0.0/8', '10.0.0.0/8'],
    ['cidr of IPv6', p.cidr(), '2001:db8::/32', '2001:db8::/32'],
    ['macaddr', p.macaddr(), '08:00:2B:01:02:03', '08:00:2b:01:02:03'],
    ['macaddr8', p.macaddr8(), '08-00-2b-01-02-03-04-05', '08-00-2b-01-02-03-04-05'],
    ['bit', p.bit({ dimensions: 3 }), '101', '101'],
    ['jsonb', p.jsonb(), '{"a":[1]}', { a: [1] }],
    ['bytea', p.bytea(), '\\x00ff', Buffer.from([0, 255])],
    ['point', p.point(), '(1.5,-2)', [1.5, -2]],
    ['point as object', p.point({ mode: 'xy' }), '1,2', { x: 1, y: 2 }],
    ['line', p.line(), '{1,2,3}', [1, 2, 3]],
    ['vector', p.vector({ dimensions: 2 }), '[1,0.5]', [1, 0.5]],
    ['sparsevec', p.sparsevec({ dimensions: 5 }), '{1:0.5}/5', '{1:0.5}/5'],
    ['geometry', p.geometry(), '1,2', [1, 2]],
    ['an array', p.text().array(), '["a",null,"1"]', ['a', null, '1']],
    ['an array of numbers', p.integer().array(), '[1,"2"]', [1, 2]],
    ['an array of arrays', p.integer().array('[][]'), '[[1],[2]]', [[1], [2]]],
    ['a custom type', twoWay(), '12', { n: 12 }],
  ])('%s', (_name, column, text, value) => {
    const codec = codecOf(column)
    expect(codec.parse(text)).toStrictEqual(value)
    // What parse gives, encode takes.
    expect(() => codec.encode(codec.parse(text))).not.toThrow()
  })
})

describe('text from a URL that does not fit is refused', () => {
  test.each<[column: unknown, text: string, message: string]>([
    [p.smallint(), '32768', "'32768' is not an integer from -32768 to 32767."],
    [p.integer(), '1.5', "'1.5' is not an integer from -2147483648 to 2147483647."],
    [p.integer(), '', "'' is not an integer from -2147483648 to 2147483647."],
    [p.integer(), '1e3', "'1e3' is not an integer from -2147483648 to 2147483647."],
    [p.integer(), ' 1', "' 1' is not an integer from -2147483648 to 2147483647."],
    [
      p.bigint({ mode: 'bigint' }),
      '9223372036854775808',
      "'9223372036854775808' is not an integer from -9223372036854775808 to 9223372036854775807.",
    ],
    [p.bigint({ mode: 'number' }), 'x', "'x' is not an integer from -9223372036854775808 to 9223372036854775807."],
    [p.numeric(), 'NaN', "'NaN' is not a decimal number of at most 1000 digits, such as 12.50."],
    [p.numeric(), '1e5', "'1e5' is not a decimal number of at most 1000 digits, such as 12.50."],
    [p.numeric({ mode: 'bigint' }), '1.0', "'1.0' is not a whole number of at most 1000 digits."],
    [p.real(), '1e39', "'1e39' is not a number that fits a 4-byte float."],
    [p.real(), '1e-60', "'1e-60' is not a number that fits a 4-byte float."],
    [p.doublePrecision(), 'Infinity', "'Infinity' is not a number that fits an 8-byte float."],
    [p.doublePrecision(), '0x10', "'0x10' is not a number that fits an 8-byte float."],
    [p.boolean(), '1', "'1' is not true or false."],
    [p.text(), 'a\0b', "'a\0b' is not text without the character NUL."],
    [p.text(), 'a\ud800', "'a\ufffd' is not well-formed Unicode text."],
    [p.varchar(), '\udc00', "'\ufffd' is not well-formed Unicode text."],
    [p.text({ enum: ['a', 'b'] }), 'c', "'c' is not one of 'a', 'b'."],
    [mood(), 'Calm', "'Calm' is not one of 'calm', 'rough'."],
    [p.uuid(), '123', "'123' is not a UUID such as 123e4567-e89b-12d3-a456-426614174000."],
    [p.date(), '2023-02-29', "'2023-02-29' is not a date such as 2026-01-31."],
    [p.date(), '2023-2-9', "'2023-2-9' is not a date such as 2026-01-31."],
    [p.date({ mode: 'date' }), '0000-01-01', "'0000-01-01' is not a date such as 2026-01-31."],
    [p.timestamp(), '2026-01-31T24:00', "'2026-01-31T24:00' is not a date and time such as 2026-01-31T12:00:00Z."],
    [p.timestamp(), 'yesterday', "'yesterday' is not a date and time such as 2026-01-31T12:00:00Z."],
    [
      p.timestamp(),
      '0001-01-01T00:00+01:00',
      "'0001-01-01T00:00+01:00' is not a date and time such as 2026-01-31T12:00:00Z.",
    ],
    [p.time(), '24:00', "'24:00' is not a time such as 12:30:00."],
    [p.time(), '12:00+02', "'12:00+02' is not a time such as 12:30:00."],
    [p.interval(), 'soon', "'soon' is not an interval such as P1DT2H, '1 day 02:00:00' or '90 minutes'."],
    [p.interval(), 'P', "'P' is not an interval such as P1DT2H, '1 day 02:00:00' or '90 minutes'."],
    [p.inet(), '1.2.3', "'1.2.3' is not an IP address such as 192.0.2.1 or 2001:db8::/32."],
    [p.inet(), 'fe80::1%eth0', "'fe80::1%eth0' is not an IP address such as 192.0.2.1 or 2001:db8::/32."],
    [p.cidr(), '10.0.0.1/8', "'10.0.0.1/8' is not a network such as 192.0.2.0/24."],
    [p.macaddr(), '08:00:2b:01:02', "'08:00:2b:01:02' is not a MAC address of 6 bytes such as 08:00:2b:01:02:03."],
    [p.bit({ dimensions: 3 }), '10', "'10' is not a string of 3 times 0 or 1."],
    [p.jsonb(), '{a}', "'{a}' is not JSON."],
    [p.jsonb(), '"\\u0000"', `'"\\u0000"' is not JSON.`],
    [p.jsonb(), '"\\ud800"', `'"\\ud800"' is not JSON.`],
    [p.bytea(), 'xyz', "'xyz' is not bytes in hexadecimal digits."],
    [p.point(), '1', "'1' is not a point of two numbers."],
    [p.line(), '1,2', "'1,2' is not a line of three numbers a, b, c."],
    [p.vector({ dimensions: 2 }), '[1]', '[1] is not an array of 2 numbers.'],
    [p.sparsevec({ dimensions: 5 }), '1', "'1' is not a sparse vector such as {1:0.5,3:2}/5."],
    [p.text().array(), 'a,b', `'a,b' is not a JSON array such as ["a","b"].`],
    [p.text().array(), '"a"', `'a' is not an array.`],
    [p.integer().array(), '[1.5]', "'1.5' is not an integer from -2147483648 to 2147483647."],
    [twoWay(), 'x', "'x' is not an integer from -2147483648 to 2147483647."],
  ])('%# %j', (column, text, message) => {
    expect(refusal(() => codecOf(column).parse(text))).toBe(message)
  })

  test('a very long value is cut in the message', () => {
    expect(refusal(() => codecOf(p.integer()).parse('9'.repeat(100_000))).length).toBeLessThan(200)
  })
})

describe('values', () => {
  test('null and undefined are NULL, whatever the type', () => {
    for (const column of [
      p.integer(),
      p.text(),
      p.jsonb(),
      p.timestamp(),
      p.text().array(),
      twoWay(),
      p.vector({ dimensions: 1 }),
    ]) {
      const codec = codecOf(column)
      expect([codec.encode(null), codec.encode(undefined)]).toEqual([null, null])
    }
  })

  test.each<[column: unknown, value: unknown, wire: unknown, text: string]>([
    [p.integer(), 5, 5, '5'],
    [p.integer(), '5', '5', '5'],
    [p.bigint({ mode: 'number' }), 1e18, 1e18, '1000000000000000000'],
    [p.numeric(), '1.10', '1.10', '1.10'],
    [p.numeric({ mode: 'number' }), 1.5, '1.5', '1.5'],
    [p.doublePrecision(), Number.NaN, Number.NaN, 'NaN'],
    [p.boolean(), true, true, 'true'],
    [p.jsonb(), 'text', '"text"', '"text"'],
    [p.jsonb(), [1, null], '[1,null]', '[1,null]'],
    [p.timestamp(), new Date('2026-01-31T12:00:00.123Z'), '2026-01-31T12:00:00.123Z', '2026-01-31T12:00:00.123Z'],
    [p.timestamp(), new Date('-000043-03-15T00:00:00Z'), '0044-03-15T00:00:00.000Z BC', '0044-03-15T00:00:00.000Z BC'],
    [p.timestamp(), new Date('+012345-03-15T00:00:00Z'), '12345-03-15T00:00:00.000Z', '12345-03-15T00:00:00.000Z'],
    [p.timestamp(), '2026-01-31', '2026-01-31', '2026-01-31'],
    [p.bytea(), Buffer.from('hi'), Buffer.from('hi'), '\\x6869'],
    [p.bytea(), new Uint8Array([1]), Buffer.from([1]), '\\x01'],
    [p.point(), [1, 2], '(1,2)', '(1,2)'],
    [p.geometry({ mode: 'xy' }), { x: 1, y: 2 }, 'point(1 2)', 'point(1 2)'],
    [p.vector({ dimensions: 2 }), [1, 2.5], '[1,2.5]', '[1,2.5]'],
    [p.text().array(), ['a', null, 'b"\\', 'NULL'], '{"a",NULL,"b\\"\\\\","NULL"}', '{"a",NULL,"b\\"\\\\","NULL"}'],
    [p.bytea().array(), [Buffer.from([255])], '{"\\\\xff"}', '{"\\\\xff"}'],
    [p.point().array(), [[1, 2]], '{"(1,2)"}', '{"(1,2)"}'],
    [p.jsonb().array(), [[1], 'a'], '{"[1]","\\"a\\""}', '{"[1]","\\"a\\""}'],
    [
      p.geometry().array(),
      [
        [1, 2],
        [3, 4],
      ],
      '{"point(1 2)":"point(3 4)"}',
      '{"point(1 2)":"point(3 4)"}',
    ],
    [
      p.integer().array('[][]'),
      [
        [1, 2],
        [3, null],
      ],
      '{{"1","2"},{"3",NULL}}',
      '{{"1","2"},{"3",NULL}}',
    ],
    [p.integer().array(), '{1,2}', '{1,2}', '{1,2}'],
    [twoWay(), { n: 4 }, '4', '4'],
    [twoWay().array(), [{ n: 4 }], '{"4"}', '{"4"}'],
  ])('%# go to the wire and to text', (column, value, wire, text) => {
    const codec = codecOf(column)
    expect(codec.encode(value)).toStrictEqual(wire)
    expect(codec.encodeText(value)).toBe(text)
  })

  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  test.each<[column: unknown, value: unknown, message: string]>([
    [p.integer(), 1.5, "'1.5' is not an integer from -2147483648 to 2147483647."],
    [p.integer(), Number.NaN, "'NaN' is not an integer from -2147483648 to 2147483647."],
    [p.integer(), 3e9, '3000000000 is not an integer from -2147483648 to 2147483647.'],
    [p.integer(), '1; drop table t', "'1; drop table t' is not an integer from -2147483648 to 2147483647."],
    [p.integer(), { id: 1 }, '{"id":1} is not an integer from -2147483648 to 2147483647.'],
    [p.integer(), true, 'true is not an integer from -2147483648 to 2147483647.'],
    [
      p.bigint({ mode: 'bigint' }),
      2n ** 63n,
      '9223372036854775808n is not an integer from -9223372036854775808 to 9223372036854775807.',
    ],
    [p.numeric(), 'many', "'many' is not a decimal number."],
    [p.doublePrecision(), 'many', "'many' is not a number."],
    [p.boolean(), 'yes', "'yes' is not true or false."],
    [p.text(), { a: 1 }, '{"a":1} is not text.'],
    [p.text(), 'a\0', "'a\0' is not text without the character NUL."],
    [mood(), 'wild', "'wild' is not one of 'calm', 'rough'."],
    [p.uuid(), 'not one', "'not one' is not a UUID such as 123e4567-e89b-12d3-a456-426614174000."],
    [p.timestamp(), new Date(Number.NaN), "'Invalid Date' is not a date and time such as 2026-01-31T12:00:00Z."],
    [p.timestamp(), 5, '5 is not a date and time such as 2026-01-31T12:00:00Z.'],
    [p.jsonb(), circular, "'[object Object]' is not a value that JSON can hold."],
    [p.jsonb(), () => 1, "'() => 1' is not a value that JSON can hold."],
    [p.bytea(), 5, '5 is not a Buffer.'],
    [p.point(), { x: 1, y: 2 }, '{"x":1,"y":2} is not a point of two numbers.'],
    [p.vector({ dimensions: 2 }), [1], '[1] is not an array of 2 numbers.'],
    [p.text().array(), { a: 1 }, '{"a":1} is not an array.'],
    [p.integer().array(), [1, 'x'], "'x' is not an integer from -2147483648 to 2147483647."],
  ])('%# that do not fit are refused', (column, value, message) => {
    expect(refusal(() => codecOf(column).encode(value))).toBe(message)
  })

  test('a custom type that writes SQL is refused with the way out', () => {
    const lower = p.customType<{ data: string; driverData: string }>({
      dataType: () => 'text',
      toDriver: (value) => sql`lower(${value})`,
    })
    expect(() => codecOf(lower('shout')).encode('A')).toThrow(
      'The custom type of the column shout turns values into SQL, and Plimsoll only binds values. ' +
        'Return a plain value from toDriver, or write this column with db.drizzle.',
    )
  })
})

describe('extension types, as their servers write them', () => {
  test.each<[column: unknown, text: string, value: unknown]>([
    [p.vector({ dimensions: 3 }), '[1,-2.5,1e-07]', [1, -2.5, 1e-7]],
    [p.halfvec({ dimensions: 2 }), '[0.5,-0]', [0.5, -0]],
    [p.vector({ dimensions: 1 }).array(), '{"[1]",NULL,"[2]"}', [[1], null, [2]]],
    [p.sparsevec({ dimensions: 5 }), '{1:0.5,3:2}/5', '{1:0.5,3:2}/5'],
    [p.sparsevec({ dimensions: 5 }).array(), '{"{1:1}/5","{2:2}/5"}', ['{1:1}/5', '{2:2}/5']],
    [p.geometry(), '0101000000000000000000F03F0000000000000040', [1, 2]],
    [p.geometry({ mode: 'xy', srid: 4326 }), '0101000020E6100000000000000000F03F0000000000000040', { x: 1, y: 2 }],
    [p.geometry(), '00000000013FF00000000000004000000000000000', [1, 2]],
    [p.geometry().array(), '{0101000000000000000000F03F0000000000000040:NULL}', [[1, 2], null]],
  ])('%#', (column, text, value) => {
    expect(codecOf(column).decode(text)).toStrictEqual(value)
  })
})

describe('the JSON Schema', () => {
  test.each<[column: unknown, schema: object]>([
    [p.integer(), { type: 'integer', minimum: -2147483648, maximum: 2147483647 }],
    [p.bigint({ mode: 'bigint' }), { type: 'string', pattern: '^-?[0-9]+$' }],
    [p.numeric(), { type: 'string', format: 'decimal' }],
    [p.text({ enum: ['a'] }), { type: 'string', enum: ['a'] }],
    [p.timestamp(), { type: 'string', format: 'date-time' }],
    [p.uuid().array(), { type: 'array', items: { type: 'string', format: 'uuid' } }],
    [p.jsonb(), {}],
    [p.boolean().array('[][]'), { type: 'array', items: { type: 'array', items: { type: 'boolean' } } }],
  ])('%#', (column, schema) => {
    expect(codecOf(column).jsonSchema).toEqual(schema)
  })
})
