import { defineRelations } from 'drizzle-orm'
import { pgTable, type PgColumnBuilder } from 'drizzle-orm/pg-core'
import * as p from 'drizzle-orm/pg-core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ChildJson } from '../../../src/db/decode/child-json.ts'
import { compileJsonEncoder } from '../../../src/db/decode/json-encoder.ts'
import { JsonWriter } from '../../../src/db/decode/json-writer.ts'
import { compileRowDecoder } from '../../../src/db/decode/row-decoder.ts'
import type { ColumnField, RowShape } from '../../../src/db/decode/row-shape.ts'
import { buildModelGraph } from '../../../src/schema/index.ts'
import type { Codec } from '../../../src/schema/model.ts'
import { dataRow } from './data-row.ts'

function codecOf(column: unknown): Codec {
  const table = pgTable('t', { v: column as PgColumnBuilder })
  return buildModelGraph(defineRelations({ t: table }))
    .models.get('t')!
    .columns.get('v')!.codec
}

const text = codecOf(p.text())
const integer = codecOf(p.integer())
const column = (key: string, slot: number, codec: Codec = text): ColumnField => ({ kind: 'column', key, slot, codec })

type Texts = readonly (string | Buffer | null)[]

/** One row both ways; the JSON is parsed only after its bytes were compared with JSON.stringify of the value. */
function both(
  shape: RowShape,
  texts: Texts,
  children: { json?: ChildJson[]; rows?: ReadonlyMap<string, unknown[]>[] } = {},
) {
  const { chunk, start, end } = dataRow(texts)
  const value = compileRowDecoder(shape)(chunk, start, end, children.rows ?? [])
  const writer = new JsonWriter()
  compileJsonEncoder(shape)(writer, chunk, start, end, children.json ?? [])
  return { value, json: writer.toBuffer().toString('utf8') }
}

describe('a row', () => {
  test('has its fields in the order of the shape, whatever the order of the columns, and hides the others', () => {
    const shape: RowShape = { fields: [column('c', 3), column('a', 0, integer)] }
    const { value, json } = both(shape, ['7', 'hidden', null, 'seen'])
    expect(json).toBe('{"c":"seen","a":7}')
    expect(value).toStrictEqual({ c: 'seen', a: 7 })
  })

  test('is empty when its shape is', () => {
    expect(both({ fields: [] }, ['x'])).toEqual({ value: {}, json: '{}' })
    expect(both({ form: 'array', fields: [] }, [])).toEqual({ value: [], json: '[]' })
  })

  test('may use a column twice', () => {
    expect(both({ fields: [column('a', 0), column('b', 0)] }, ['x']).json).toBe('{"a":"x","b":"x"}')
  })

  test('is an array on demand', () => {
    const { value, json } = both({ form: 'array', fields: [column('a', 1, integer), column('b', 0)] }, ['x', null])
    expect(json).toBe('[null,"x"]')
    expect(value).toStrictEqual([null, 'x'])
  })

  test('holds joined objects, nested ones too, or null where the join found nothing', () => {
    const shape: RowShape = {
      fields: [
        column('id', 0, integer),
        {
          kind: 'joined',
          key: 'author',
          presence: 1,
          shape: {
            fields: [
              column('name', 2),
              { kind: 'joined', key: 'team', presence: 3, shape: { fields: [column('label', 4)] } },
            ],
          },
        },
        { kind: 'joined', key: 'sure', presence: undefined, shape: { fields: [column('name', 2)] } },
      ],
    }
    const full = both(shape, ['1', '9', 'Ada', '5', 'Crew'])
    expect(full.json).toBe('{"id":1,"author":{"name":"Ada","team":{"label":"Crew"}},"sure":{"name":"Ada"}}')
    expect(full.value).toStrictEqual(JSON.parse(full.json))
    const half = both(shape, ['1', '9', null, null, null])
    expect(half.json).toBe('{"id":1,"author":{"name":null,"team":null},"sure":{"name":null}}')
    expect(half.value).toStrictEqual(JSON.parse(half.json))
    expect(both(shape, ['1', null, null, null, null]).json).toBe('{"id":1,"author":null,"sure":{"name":null}}')
  })

  test('keeps every key as it is, however hostile', () => {
    const keys = [
      '"',
      '\\',
      "');process.exit(1);('",
      '${x}',
      '\n',
      '\u2028',
      'ключ',
      '😀',
      'constructor',
      '__proto__',
      'toJSON',
      '',
    ]
    const { value, json } = both({ fields: keys.map((key) => column(key, 0, integer)) }, ['1'])
    expect(Object.keys(JSON.parse(json) as object).sort()).toEqual([...keys].sort())
    expect(Object.keys(value as object).sort()).toEqual([...keys].sort())
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })

  test('is found at any place in its chunk, whatever surrounds it', () => {
    const shape: RowShape = { fields: [column('v', 0)] }
    const rows = ['first "', 'second', ''].map((value) => dataRow([value]))
    const chunk = Buffer.concat(rows.map((row) => row.chunk))
    const decode = compileRowDecoder(shape)
    const encode = compileJsonEncoder(shape)
    let at = 0
    const seen = rows.map((row) => {
      const writer = new JsonWriter()
      encode(writer, chunk, at + row.start, at + row.end, [])
      const value = decode(chunk, at + row.start, at + row.end, [])
      at += row.chunk.length
      return [value, writer.toBuffer().toString()]
    })
    expect(seen).toEqual([
      [{ v: 'first "' }, '{"v":"first \\""}'],
      [{ v: 'second' }, '{"v":"second"}'],
      [{ v: '' }, '{"v":""}'],
    ])
  })
})

describe('children', () => {
  const shape = (cardinality: 'one' | 'many', keySlots: number[]): RowShape => ({
    fields: [
      column('id', 0, integer),
      { kind: 'children', key: 'kids', index: 0, cardinality, keySlots },
      column('after', 1),
    ],
  })
  const child = compileJsonEncoder({ fields: [column('n', 1, integer)] })

  function kids(rows: readonly (readonly [key: string, n: string])[]) {
    const json = new ChildJson()
    const values = new Map<string, unknown[]>()
    for (const [key, n] of rows) {
      const { chunk, start, end } = dataRow([key, n])
      json.add(key, (writer) => child(writer, chunk, start, end, []))
      values.set(key, [...(values.get(key) ?? []), { n: Number(n) }])
    }
    return { json: [json], rows: [values] }
  }

  test('come in the order in which they were loaded, groups mixed or not', () => {
    const children = kids([
      ['1', '10'],
      ['2', '20'],
      ['1', '11'],
      ['1', '12'],
      ['3', '30'],
    ])
    for (const id of ['1', '2', '3', '4']) {
      const { value, json } = both(shape('many', [0]), [id, 'x'], children)
      expect(JSON.parse(json)).toStrictEqual(value)
    }
    expect(both(shape('many', [0]), ['1', 'x'], children).json).toBe(
      '{"id":1,"kids":[{"n":10},{"n":11},{"n":12}],"after":"x"}',
    )
    expect(both(shape('many', [0]), ['4', 'x'], children).json).toBe('{"id":4,"kids":[],"after":"x"}')
  })

  test('of a to-one relation are the one row or null', () => {
    const children = kids([['1', '10']])
    expect(both(shape('one', [0]), ['1', 'x'], children)).toEqual({
      value: { id: 1, kids: { n: 10 }, after: 'x' },
      json: '{"id":1,"kids":{"n":10},"after":"x"}',
    })
    expect(both(shape('one', [0]), ['2', 'x'], children)).toEqual({
      value: { id: 2, kids: null, after: 'x' },
      json: '{"id":2,"kids":null,"after":"x"}',
    })
  })

  test('are found by composite keys, and a key with a NULL in it has none', () => {
    const children = kids([['1\u0000x', '10']])
    expect(both(shape('many', [0, 1]), ['1', 'x'], children).json).toBe('{"id":1,"kids":[{"n":10}],"after":"x"}')
    expect(both(shape('many', [0, 1]), ['1', null], children).json).toBe('{"id":1,"kids":[],"after":null}')
    expect(both(shape('one', [0, 1]), ['1', null], children).value).toEqual({ id: 1, kids: null, after: null })
  })

  test('that need more memory than the writer has do not disturb what follows', () => {
    const json = new ChildJson()
    json.add('1', (writer) => writer.writeAscii(`"${'k'.repeat(100_000)}"`))
    const { json: row } = both(shape('many', [0]), ['1', 'after "it"'], { json: [json], rows: [new Map()] })
    expect(JSON.parse(row)).toEqual({ id: 1, kids: ['k'.repeat(100_000)], after: 'after "it"' })
    json.release()
    expect(both(shape('many', [0]), ['1', 'x'], { json: [json], rows: [new Map()] }).json).toBe(
      '{"id":1,"kids":[],"after":"x"}',
    )
  })
})

describe('text', () => {
  const shape: RowShape = { fields: [column('v', 0), column('w', 1)] }
  const check = (v: string, w: string): void => {
    const { value, json } = both(shape, [v, w])
    expect(json).toBe(JSON.stringify({ v, w }))
    expect(value).toStrictEqual({ v, w })
  }
  const storable = fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed())

  test('is escaped byte for byte as JSON.stringify does', () => {
    check(String.fromCharCode(...Array.from({ length: 128 }, (_, code) => code)), '\u2028\u2029\ufeff😀é')
    fc.assert(fc.property(storable, storable, check))
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 300 }), fc.string({ unit: 'binary-ascii' }), check),
    )
  })

  test('is right wherever the character that needs an escape falls', () => {
    for (const character of ['"', '\\', '\n', '\u0000', '\u001f', '\u007f', 'é', '😀', '\u0080']) {
      for (let length = 0; length < 40; length += 1) {
        for (let at = 0; at <= length; at += 1)
          check(`${'a'.repeat(at)}${character}${'b'.repeat(length - at)}`, character)
      }
    }
  })

  test('of any length grows sixfold at worst and stays right', () => {
    for (const length of [2730, 2731, 4096, 16_383, 16_384, 16_385, 100_000, 1_048_576]) {
      check('\u0001'.repeat(length), 'x')
      check('a'.repeat(length), '\u0001'.repeat(length))
    }
  })
})

describe('a long row', () => {
  const wide: RowShape = {
    fields: [
      column('text', 0),
      column('number', 1, codecOf(p.numeric({ mode: 'number' }))),
      column('string', 2, codecOf(p.numeric())),
      column('json', 3, codecOf(p.jsonb())),
      column('at', 4, codecOf(p.timestamp())),
      column('flag', 5, codecOf(p.boolean())),
      column('list', 6, codecOf(p.text().array())),
      { kind: 'joined', key: 'joined', presence: 7, shape: { fields: [column('t', 7)] } },
      column('none', 8),
    ],
  }

  test('is written like a short one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(1, 50, 5000, 20_000), { minLength: 5, maxLength: 5 }),
        ([a = 1, b = 1, c = 1, d = 1, e = 1]) => {
          const { value, json } = both(wide, [
            '"'.repeat(a),
            `${'9'.repeat(b)}.5`,
            '7'.repeat(c),
            `{"k":"${'\\u0001'.repeat(d)}"}`,
            '2026-01-31 12:00:00.123456',
            'f',
            `{${'"a\\\\b",'.repeat(50)}NULL}`,
            '\n'.repeat(e),
            null,
          ])
          expect(JSON.parse(json)).toStrictEqual(JSON.parse(JSON.stringify(value)))
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('dates and times', () => {
  const shape = (codec: Codec): RowShape => ({ fields: [column('v', 0, codec)] })
  const check = (codec: Codec, value: string, expected: Date): void => {
    const { value: row, json } = both(shape(codec), [value])
    expect(row).toStrictEqual({ v: expected })
    expect(json).toBe(JSON.stringify({ v: expected }))
  }
  const timestamptz = codecOf(p.timestamp({ withTimezone: true }))
  const timestamp = codecOf(p.timestamp())
  const date = codecOf(p.date({ mode: 'date' }))
  const seconds = fc
    .integer({ min: Date.UTC(100, 0, 1) / 1000, max: Date.UTC(9999, 11, 31) / 1000 })
    .map((second) => new Date(second * 1000).toISOString().slice(0, 19).replace('T', ' '))
  const fraction = fc.oneof(
    fc.constant(''),
    fc
      .tuple(fc.integer({ min: 1, max: 6 }), fc.nat(999_999))
      .map(([digits, n]) => `.${String(n).padStart(6, '0').slice(0, digits)}`),
  )

  test('are what new Date makes of the same text', () => {
    fc.assert(
      fc.property(seconds, fraction, (second, part) => {
        check(timestamptz, `${second}${part}+00`, new Date(`${second}${part}+00`))
        check(timestamp, `${second}${part}`, new Date(`${second}${part}+0000`))
        check(date, second.slice(0, 10), new Date(second.slice(0, 10)))
      }),
      { numRuns: 2000 },
    )
  })

  test('are so for every day of four centuries', () => {
    for (let day = Date.UTC(1899, 11, 31); day < Date.UTC(2300, 0, 2); day += 86_400_000 * 3) {
      const { value } = both(shape(date), [new Date(day).toISOString().slice(0, 10)])
      expect((value as { v: Date }).v.getTime()).toBe(day)
    }
  })

  test('out of the ordinary are left to JavaScript', () => {
    for (const value of [
      'infinity',
      '-infinity',
      '0001-01-01 00:00:00',
      '0044-03-15 12:00:00 BC',
      '0044-03-15 12:00:00.5 BC',
      '10000-01-01 00:00:00',
      '294276-12-31 23:59:59.999999',
      '2026-01-31 12:00:00.1 BC',
    ]) {
      check(timestamp, value, new Date(`${value}+0000`))
    }
    for (const value of [
      'infinity',
      '0099-12-31 23:59:59+00',
      '0044-03-15 12:00:00+00 BC',
      '2026-01-31 12:00:00+02',
      '2026-01-31 12:00:00+05:30',
      '1850-01-01 00:00:00-00:19:32',
      '12026-01-31 12:00:00+00',
    ]) {
      check(timestamptz, value, new Date(value))
    }
    for (const value of ['infinity', '-infinity', '0044-03-15 BC', '12026-01-31', '0001-01-01'])
      check(date, value, new Date(value))
  })
})

describe('numbers', () => {
  const float = codecOf(p.doublePrecision())
  const check = (codec: Codec, value: string, expected: unknown): void => {
    const { value: row, json } = both({ fields: [column('v', 0, codec)] }, [value])
    expect(row).toStrictEqual({ v: expected })
    const asJson = typeof expected === 'bigint' ? String(expected) : expected
    expect(JSON.parse(json)).toStrictEqual(JSON.parse(JSON.stringify({ v: asJson })))
  }

  test('are what JavaScript reads from the same text', () => {
    const decimal = codecOf(p.numeric({ mode: 'number' }))
    fc.assert(
      fc.property(
        fc.double(),
        fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
        fc.nat(18),
        (double, whole, scale) => {
          check(float, String(double), Number(String(double)))
          const all = String(whole < 0n ? -whole : whole).padStart(scale + 1, '0')
          const written = `${whole < 0n ? '-' : ''}${scale > 0 ? `${all.slice(0, -scale)}.${all.slice(-scale)}` : all}`
          check(decimal, written, Number(written))
        },
      ),
      { numRuns: 2000 },
    )
    fc.assert(fc.property(fc.integer(), (n) => check(integer, String(n), n)))
  })

  test('at the edges of a double keep JSON and rows in step', () => {
    for (const value of [
      '-0',
      'NaN',
      'Infinity',
      '-Infinity',
      '1e+308',
      '5e-324',
      '-5e-324',
      '0.1',
      '1e-07',
      '-1.5e+300',
    ]) {
      check(float, value, Number(value))
    }
    const decimal = codecOf(p.numeric({ mode: 'number' }))
    for (const value of ['9'.repeat(400), `-${'9'.repeat(400)}`, `0.${'0'.repeat(400)}1`, `-0.${'0'.repeat(400)}1`]) {
      check(decimal, value, Number(value))
    }
    check(codecOf(p.bigint({ mode: 'number' })), '-9223372036854775808', -(2 ** 63))
    check(codecOf(p.bigint({ mode: 'bigint' })), '-9223372036854775808', -(2n ** 63n))
    check(codecOf(p.bigint({ mode: 'bigint' })), '123456789012345', 123456789012345n)
  })
})

describe('JSON columns', () => {
  const jsonb = codecOf(p.json())
  const check = (value: string): void => {
    const { value: row, json } = both({ fields: [column('v', 0, jsonb)] }, [value])
    expect(row).toStrictEqual({ v: JSON.parse(value) as unknown })
    expect(JSON.parse(json)).toStrictEqual(JSON.parse(JSON.stringify(row)))
  }

  test('are copied when that changes nothing, and otherwise go through JavaScript', () => {
    fc.assert(fc.property(fc.json(), check), { numRuns: 1000 })
    const numbers = fc.constantFrom(
      '-0',
      '-0.0',
      '0',
      '-1',
      '-10',
      '1e400',
      '-1E-400',
      '0.5',
      '-0.5',
      `1${'0'.repeat(350)}`,
      '12e2',
    )
    // One key with an escape: V8 takes one escaped key for another where an object like it went before.
    const keys = fc.constantFrom('"a"', '"-0"', '"1e5"', '"\\\\"', '"é"')
    const document = fc.letrec<{ any: string; list: string; object: string }>((tie) => ({
      any: fc.oneof(
        { maxDepth: 3 },
        numbers,
        keys,
        fc.constant('"\\""'),
        fc.constantFrom('true', 'false', 'null'),
        tie('list'),
        tie('object'),
      ),
      list: fc.array(tie('any'), { maxLength: 4 }).map((items) => `[ ${items.join(' , ')}]`),
      // No key twice: V8 gives one value or the other when a key with an escape is repeated.
      object: fc
        .uniqueArray(fc.tuple(keys, tie('any')), { maxLength: 4, selector: ([key]) => key })
        .map((members) => `{${members.map(([key, item]) => `${key} :${item}`).join(',\n')}}`),
    })).any
    fc.assert(fc.property(document, check), { numRuns: 1000 })
  })
})
