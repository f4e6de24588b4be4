import { asc } from 'drizzle-orm'
import { integer } from 'drizzle-orm/pg-core'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { compileJsonEncoder } from '../../src/db/decode/json-encoder.ts'
import { JsonWriter } from '../../src/db/decode/json-writer.ts'
import { compileRowDecoder } from '../../src/db/decode/row-decoder.ts'
import type { RowShape } from '../../src/db/decode/row-shape.ts'
import type { Codec } from '../../src/schema/model.ts'
import { columnCases } from './codecs-columns.ts'
import {
  codecOf,
  createTable,
  openCodecEngine,
  type CodecEngine,
  type CodecTable,
  type RawRow,
} from './codecs-engine.ts'

const urls = { PostgreSQL: () => inject('postgresUrl'), PGlite: () => 'pglite:memory' }

describe.each(Object.entries(urls))('codecs on %s', (_name, url) => {
  let engine: CodecEngine
  beforeAll(async () => {
    engine = await openCodecEngine(url())
  })
  afterAll(async () => {
    await engine[Symbol.asyncDispose]()
  })

  test.each(columnCases)('$name: what goes in comes back as Drizzle reads it, and JSON agrees', async (columnCase) => {
    const table = await createTable(engine, columnCase, 0)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(columnCase.values, { freq: 8 }), { maxLength: 20 }), async (values) => {
        await checkRoundTrip(engine, table, {
          values,
          texts: columnCase.texts ?? [],
          notWrittenByDrizzle: columnCase.notWrittenByDrizzle,
        })
      }),
      { numRuns: 5 },
    )
  })

  test.each(columnCases)('$name[]: arrays, empty and with NULLs', async (columnCase) => {
    const table = await createTable(engine, columnCase, 1)
    const element = columnCase.nullElementsLost ? columnCase.values : fc.option(columnCase.values, { freq: 5 })
    const notWritten = columnCase.notWrittenByDrizzle
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.array(element, { maxLength: 5 }), { freq: 8 }), { maxLength: 6 }),
        async (values) => {
          await checkRoundTrip(engine, table, {
            values,
            texts: [],
            notWrittenByDrizzle: (value) =>
              Array.isArray(value) &&
              (columnCase.otherDelimiter === true ||
                value.includes(null) ||
                (notWritten !== undefined && value.some(notWritten))),
          })
        },
      ),
      { numRuns: 5 },
    )
  })

  test.each(columnCases)('$name[][]: nested arrays', async (columnCase) => {
    const table = await createTable(engine, columnCase, 2)
    const matrix = fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })).chain(([rows, columns]) =>
      fc.array(fc.array(columnCase.values, { minLength: columns, maxLength: columns }), {
        minLength: rows,
        maxLength: rows,
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(matrix, { maxLength: 4 }), async (values) => {
        await checkRoundTrip(engine, table, { values, texts: ['{}'], notWrittenByDrizzle: () => true })
      }),
      { numRuns: 3 },
    )
  })

  test.each(columnCases.filter((columnCase) => columnCase.nullElementsLost))(
    '$name[]: a NULL element stays null, where Drizzle loses it',
    async (columnCase) => {
      const table = await createTable(engine, columnCase, 1)
      const { codec } = table
      const scalar = await createTable(engine, columnCase, 0)
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.option(columnCase.values, { freq: 2 }), { minLength: 1, maxLength: 5 }),
          async (value) => {
            const [text] = await engine.texts(`select ($1::${codec.sqlType})::text`, [codec.encode(value)])
            const expected = await Promise.all(
              value.map(async (item) => {
                if (item === null) return null
                const [one] = await engine.texts(`select ($1::${scalar.codec.sqlType})::text`, [
                  scalar.codec.encode(item),
                ])
                return scalar.codec.decode(one!)
              }),
            )
            expect(codec.decode(text!)).toStrictEqual(expected)
          },
        ),
        { numRuns: 3 },
      )
    },
  )

  test.each(columnCases.filter((columnCase) => columnCase.unreadable))(
    '$name: what Drizzle fails to read fails in rows and in JSON alike',
    async (columnCase) => {
      const scalars = await createTable(engine, columnCase, 0)
      const arrays = await createTable(engine, columnCase, 1)
      const refusal = expect.objectContaining({ code: 'PLIMSOLL_VALUE_UNREADABLE' }) as Error
      await fc.assert(
        fc.asyncProperty(columnCase.unreadable!, async (text) => {
          for (const [{ name, table, codec }, put] of [
            [scalars, text],
            [arrays, `{${text}}`],
          ] as const) {
            await engine.texts(`truncate ${name}`)
            await engine.texts(`insert into ${name} (v) values ($1::text::${codec.sqlType})`, [put])
            const raw = await engine.rows(`select id, v from ${name}`)
            await expect(engine.drizzle.select().from(table)).rejects.toThrow(/BigInt/)
            expect(() => decodeAll(raw, codec)).toThrow(refusal)
            expect(() => encodeAll(raw, codec)).toThrow(refusal)
          }
        }),
        { numRuns: 20 },
      )
    },
  )

  test('a text of a megabyte and bytes of a megabyte survive', async () => {
    const texts = await createTable(
      engine,
      columnCases.find(({ name }) => name === 'text')!,
      0,
    )
    const escaped = '"\\\n\u0001ä😀'.repeat(100_000)
    await checkRoundTrip(engine, texts, { values: ['a'.repeat(1_048_576), escaped], texts: [] })
    const bytes = await createTable(
      engine,
      columnCases.find(({ name }) => name === 'bytea')!,
      0,
    )
    await checkRoundTrip(engine, bytes, { values: [Buffer.alloc(1_048_576, 7)], texts: [] })
  })
})

interface RoundTrip {
  readonly values: readonly unknown[]
  readonly texts: readonly string[]
  readonly notWrittenByDrizzle?: ((value: unknown) => boolean) | undefined
}

async function checkRoundTrip(
  engine: CodecEngine,
  { name, table, codec }: CodecTable,
  { values, texts, notWrittenByDrizzle }: RoundTrip,
): Promise<void> {
  await engine.texts(`truncate ${name}`)
  const rows = (parameters: readonly unknown[], cast = ''): string =>
    parameters.map((_, at) => `($${at + 1}${cast})`).join(', ')
  if (values.length > 0) {
    await engine.texts(
      `insert into ${name} (v) values ${rows(values)}`,
      values.map((value) => codec.encode(value)),
    )
  }
  const present = values.filter((value) => value !== null)
  const asTexts = `{${present.map((value) => `"${codec.encodeText(value)!.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`
  await engine.texts(
    `insert into ${name} (v) select t::${codec.sqlType} from unnest($1::text[]) with ordinality as u (t, o) order by o`,
    [asTexts],
  )
  if (texts.length > 0)
    await engine.texts(`insert into ${name} (v) values ${rows(texts, `::text::${codec.sqlType}`)}`, texts)

  const raw = await engine.rows(`select id, v from ${name} order by id`)
  const read = (await engine.drizzle.select().from(table).orderBy(asc(table.id))) as unknown[]
  expect(raw).toHaveLength(values.length + present.length + texts.length)
  expect(decodeAll(raw, codec)).toStrictEqual(read)
  expect(JSON.parse(encodeAll(raw, codec))).toStrictEqual(JSON.parse(JSON.stringify(read, bigintText)))

  // Both ways in keep the same value, and it is the one that Drizzle would have written.
  const written = await engine.texts(`select v from ${name} order by id`)
  const inserted = written.slice(0, values.length)
  expect(written.slice(values.length, values.length + present.length)).toStrictEqual(
    inserted.filter((text) => text !== null),
  )
  const byDrizzle = values.flatMap((v, at) =>
    v === null || notWrittenByDrizzle?.(v) ? [] : [{ v, text: inserted[at] }],
  )
  if (byDrizzle.length === 0) return
  await engine.rows(`truncate ${name}`)
  await engine.drizzle.insert(table).values(byDrizzle.map(({ v }) => ({ v })) as never)
  expect(await engine.texts(`select v from ${name} order by id`)).toStrictEqual(byDrizzle.map(({ text }) => text))
}

function shapeOf(codec: Codec): RowShape {
  return {
    fields: [
      { kind: 'column', key: 'id', slot: 0, codec: codecOf(integer()) },
      { kind: 'column', key: 'v', slot: 1, codec },
    ],
  }
}

function decodeAll(rows: readonly RawRow[], codec: Codec): unknown[] {
  const decode = compileRowDecoder(shapeOf(codec))
  return rows.map(({ chunk, start, end }) => decode(chunk, start, end, []))
}

function encodeAll(rows: readonly RawRow[], codec: Codec): string {
  const encode = compileJsonEncoder(shapeOf(codec))
  const writer = new JsonWriter()
  writer.writeAscii('[')
  rows.forEach(({ chunk, start, end }, at) => {
    if (at > 0) writer.writeAscii(',')
    encode(writer, chunk, start, end, [])
  })
  writer.writeAscii(']')
  return writer.toBuffer().toString('utf8')
}

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
