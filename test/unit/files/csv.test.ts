import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { writeCsv, type CsvOptions } from '../../../src/files/sheets/csv.ts'
import type { SheetColumn } from '../../../src/files/sheets/sheet.ts'
import { parseCsv } from './parse-csv.ts'

async function* rowsOf(rows: readonly (readonly unknown[])[]): AsyncGenerator<readonly unknown[]> {
  yield* rows
}

async function csv(
  rows: readonly (readonly unknown[])[],
  { columns = [{ header: 'a' }, { header: 'b' }], ...options }: CsvOptions & { columns?: readonly SheetColumn[] } = {},
): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of writeCsv(rowsOf(rows), { columns, ...options })) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** One value, as it is spelled. */
async function spelled(value: unknown, options: CsvOptions & Partial<SheetColumn> = {}): Promise<string> {
  const { type, ...others } = options
  const columns = [{ header: 'a', type }, { header: 'b' }]
  const text = await csv([[value, 0]], { ...others, columns, bom: false, headers: false })
  return text.slice(0, -',0\r\n'.length)
}

describe('a CSV file', () => {
  test('begins with a byte order mark and its headers, and ends its lines with CRLF', async () => {
    expect(await csv([[1, 'x']])).toBe('\uFEFFa,b\r\n1,x\r\n')
    expect(await csv([], { bom: false })).toBe('a,b\r\n')
    expect(await csv([], { bom: false, headers: false })).toBe('')
  })

  test('keeps a text one field for who opens it with another separator, so that no formula begins inside of it', async () => {
    expect(await spelled('a;=1+1')).toBe('"a;=1+1"')
    expect(await spelled('a\t=1+1')).toBe('"a\t=1+1"')
    expect(await spelled('a|=1+1')).toBe('"a|=1+1"')
    expect(await csv([['a,=1+1', 0]], { separator: ';', bom: false, headers: false })).toBe('"a,=1+1";0\r\n')
  })

  test('is read back as it was written, whatever is in its texts', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom(',', ';', '"', '\r', '\n', '=', '-', ' ', "'", 'é', '1') }),
    )
    const separators = fc.constantFrom(',' as const, ';' as const, '\t' as const, '|' as const)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, fc.option(text))), separators, async (rows, separator) => {
        const written = await csv(rows, { separator, bom: false, headers: false, formulas: 'keep' })
        const read = parseCsv(written, separator).map((record) =>
          record.map((field) => (field.text === '' && !field.quoted ? null : field.text)),
        )
        expect(read).toEqual(rows)
      }),
    )
  })

  test('has no field that a spreadsheet takes for a formula', async () => {
    const sly = fc.string({
      unit: fc.constantFrom('=', '+', '-', '@', '＝', '\t', '\r', '\n', ' ', '"', ',', '1', 'A', '|'),
    })
    await fc.assert(
      fc.asyncProperty(sly, sly, async (a, b) => {
        for (const { text } of parseCsv(await csv([[a, b]], { bom: false, headers: false })).flat()) {
          if (!/^[-+]?[\d.,]+%?$/.test(text)) expect(text).not.toMatch(/^\s*[=+\-@＝]/)
        }
      }),
    )
  })

  test.each([
    ['=1+1', "'=1+1"],
    ['-2+3+cmd|"/C calc"!A0', `"'-2+3+cmd|""/C calc""!A0"`],
    ['@SUM(A1)', "'@SUM(A1)"],
    [' =1', "' =1"],
    ['\t=1', `"'\t=1"`],
    ['-12.50', '-12.50'],
    ['+4', '+4'],
    ['-1e5', '-1e5'],
    ['-', "'-"],
    ['a=1', 'a=1'],
  ])('spells the text %j as %s', async (value, expected) => {
    expect(await spelled(value)).toBe(expected)
  })

  test.each<[string, unknown, string]>([
    ['null', null, ''],
    ['undefined', undefined, ''],
    ['an empty text', '', '""'],
    ['a negative number', -1.5, '-1.5'],
    ['-0', -0, '0'],
    ['a large bigint', 2n ** 63n, '9223372036854775808'],
    ['NaN', Number.NaN, 'NaN'],
    ['a boolean', true, 'true'],
    ['a Date', new Date('2026-11-26T01:02:03.456Z'), '2026-11-26T01:02:03.456Z'],
    ['an array', ['a', 1n], '"[""a"",""1""]"'],
    ['bytes', new Uint8Array([1, 2, 255]), 'AQL/'],
    ['a text of two lines', 'a\nb', '"a\nb"'],
    ['half a pair', '\uD800', '\uFFFD'],
  ])('spells %s', async (_, value, expected) => {
    expect(await spelled(value)).toBe(expected)
  })

  test('reads what columns say of their values', async () => {
    expect(await spelled('2026-11-26 10:00:00+02', { type: 'datetime' })).toBe('2026-11-26T08:00:00.000Z')
    expect(await spelled('2026-11-26T10:00:00', { type: 'datetime' })).toBe('2026-11-26T10:00:00.000Z')
    expect(await spelled('2026-11-26', { type: 'date' })).toBe('2026-11-26')
    expect(await spelled(new Date('2026-11-26T23:59:59Z'), { type: 'date' })).toBe('2026-11-26')
    expect(await spelled('-0012.50', { type: 'number' })).toBe('-0012.50')
    expect(await spelled(7, { type: 'text' })).toBe('7')
    await expect(spelled('soon', { type: 'date' })).rejects.toMatchObject({
      code: 'PLIMSOLL_SHEET_INVALID',
      message: expect.stringContaining("'soon', which is no time"),
    })
    await expect(spelled('=1', { type: 'number' })).rejects.toThrow('is no number')
    await expect(spelled(new Date(Number.NaN))).rejects.toThrow('is no time')
  })

  test('has no empty lines, and leaves in batches', async () => {
    expect(await csv([[null], ['']], { columns: [{ header: 'a' }], bom: false })).toBe('a\r\n""\r\n""\r\n')
    let chunks = 0
    const many = Array.from({ length: 50_000 }, (_, i) => [i, 'a text of some length'])
    for await (const chunk of writeCsv(rowsOf(many), { columns: [{ header: 'a' }, { header: 'b' }] })) {
      chunks++
      expect(chunk.length).toBeLessThan(70_000)
    }
    expect(chunks).toBeGreaterThan(10)
  })

  test('refuses options that it does not know', async () => {
    await expect(csv([], { separator: 'x' as ',' })).rejects.toMatchObject({ code: 'PLIMSOLL_OPTION_INVALID' })
    await expect(csv([], { formulas: 'no' as 'keep' })).rejects.toMatchObject({ code: 'PLIMSOLL_OPTION_INVALID' })
  })
})
