import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SheetColumn } from '../../../src/files/sheets/sheet.ts'
import { columnName } from '../../../src/files/sheets/xlsx/sheet-row.ts'
import { writeXlsx, type SheetBounds, type XlsxOptions } from '../../../src/files/sheets/xlsx/xlsx.ts'
import { unzip } from './unzip.ts'

type Options = XlsxOptions & SheetBounds & { readonly columns?: readonly SheetColumn[] }

async function* rowsOf(rows: readonly (readonly unknown[])[]): AsyncGenerator<readonly unknown[]> {
  yield* rows
}

async function parts(rows: readonly (readonly unknown[])[], options: Options = {}): Promise<Map<string, string>> {
  const chunks: Uint8Array[] = []
  for await (const chunk of writeXlsx(rowsOf(rows), { columns: [{ header: 'a' }], ...options })) chunks.push(chunk)
  const files = await unzip(Buffer.concat(chunks))
  return new Map([...files].map(([name, content]) => [name, content.toString()]))
}

async function sheetOf(rows: readonly (readonly unknown[])[], options: Options = {}): Promise<string> {
  return (await parts(rows, options)).get('xl/worksheets/sheet1.xml')!
}

/** One value as the cell A2. */
async function cellOf(value: unknown, options: Options & Pick<SheetColumn, 'type'> = {}): Promise<string> {
  const { type, ...others } = options
  const sheet = await sheetOf([[value]], { ...others, columns: [{ header: 'a', type }] })
  return /<row r="2">(.*)<\/row>/s.exec(sheet)![1]!
}

const entities: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"' }

/** The text of a cell, as a spreadsheet reads it. */
function textOf(cell: string): string {
  const inner = /^<c r="A2" t="inlineStr"><is><t xml:space="preserve">([^<]*)<\/t><\/is><\/c>$/.exec(cell)![1]!
  return inner
    .replace(/&\w+;/g, (entity) => entities[entity]!)
    .replace(/_x([\dA-Fa-f]{4})_/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}

/** What XML can say of it. */
function sayable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is left out
  const plain = text.toWellFormed().replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, '')
  return plain.replace(/\r\n?/g, '\n')
}

describe('an XLSX file', () => {
  test('has the parts that a spreadsheet needs', async () => {
    const files = await parts([[1]], { sheet: 'Q&A "2026"' })
    expect([...files.keys()].sort()).toEqual([
      '[Content_Types].xml',
      '_rels/.rels',
      'xl/_rels/workbook.xml.rels',
      'xl/styles.xml',
      'xl/workbook.xml',
      'xl/worksheets/sheet1.xml',
    ])
    expect(files.get('xl/workbook.xml')).toContain('<sheet name="Q&amp;A &quot;2026&quot;" sheetId="1" r:id="rId1"/>')
    for (const [, text] of files) expect(text).toMatch(/^<\?xml version="1.0" encoding="UTF-8" standalone="yes"\?>\n</)
  })

  test('keeps every text, but for what XML cannot say', async () => {
    const unit = fc.constantFrom(
      '&',
      '<',
      '>',
      '"',
      "'",
      '_',
      'x',
      '0',
      '4',
      '1',
      'D',
      '\r',
      '\n',
      '\t',
      ' ',
      '\u0000',
      '\uFFFF',
      '\uD800',
      '𝄞',
    )
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit }))
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        expect(textOf(await cellOf(value))).toBe(sayable(value))
      }),
    )
  })

  test.each<[string, unknown, string]>([
    ['null as nothing', null, ''],
    ['a number', -1.5, '<c r="A2"><v>-1.5</v></c>'],
    ['a number of 17 digits that is a float', 0.1 + 0.2, '<c r="A2"><v>0.30000000000000004</v></c>'],
    ['a small bigint', 42n, '<c r="A2"><v>42</v></c>'],
    [
      'a large bigint as a text',
      2n ** 63n,
      '<c r="A2" t="inlineStr"><is><t xml:space="preserve">9223372036854775808</t></is></c>',
    ],
    ['a boolean', true, '<c r="A2" t="b"><v>1</v></c>'],
    ['Infinity as a text', Infinity, '<c r="A2" t="inlineStr"><is><t xml:space="preserve">Infinity</t></is></c>'],
    ['a formula as a text', '=1+1', '<c r="A2" t="inlineStr"><is><t xml:space="preserve">=1+1</t></is></c>'],
    ['a time', new Date('2026-11-26T12:00:00Z'), '<c r="A2" s="3"><v>46352.5</v></c>'],
    ['the first day that all count alike', new Date('1900-03-01T00:00:00Z'), '<c r="A2" s="3"><v>61</v></c>'],
    [
      'an earlier time as a text',
      new Date('1900-02-28T00:00:00Z'),
      '<c r="A2" t="inlineStr"><is><t xml:space="preserve">1900-02-28T00:00:00.000Z</t></is></c>',
    ],
  ])('writes %s', async (_, value, expected) => {
    expect(await cellOf(value)).toBe(expected)
  })

  test('reads what columns say of their values', async () => {
    expect(await cellOf('2026-11-26', { type: 'date' })).toBe('<c r="A2" s="2"><v>46352</v></c>')
    expect(await cellOf(new Date('2026-11-26T23:00:00Z'), { type: 'date' })).toBe('<c r="A2" s="2"><v>46352</v></c>')
    expect(await cellOf('12.50', { type: 'number' })).toBe('<c r="A2"><v>12.50</v></c>')
    expect(await cellOf('1e999', { type: 'number' })).toContain('inlineStr')
    expect(await cellOf('12345678901234567890.5', { type: 'number' })).toContain('inlineStr')
    await expect(cellOf('soon', { type: 'datetime' })).rejects.toMatchObject({ code: 'PLIMSOLL_SHEET_INVALID' })
  })

  test('refuses a text that is longer than a cell, or cuts it', async () => {
    const longest = 'x'.repeat(32_767)
    expect(textOf(await cellOf(longest))).toBe(longest)
    await expect(cellOf(`${longest}y`)).rejects.toMatchObject({
      code: 'PLIMSOLL_SHEET_INVALID',
      message: expect.stringContaining("The cell A2 ('a') has 32768 characters"),
    })
    expect(textOf(await cellOf(`${longest}y`, { tooLong: 'cut' }))).toBe(`${longest.slice(1)}…`)
  })

  test('begins another sheet when one is full, and only then', async () => {
    const rows = [[1], [2], [3], [4]]
    const one = await parts(rows, { mostRows: 5 })
    expect([...one.keys()].filter((name) => name.startsWith('xl/worksheets/'))).toEqual(['xl/worksheets/sheet1.xml'])
    const files = await parts(rows, { mostRows: 3, sheet: 'x'.repeat(31) })
    expect([...files.keys()].filter((name) => name.startsWith('xl/worksheets/'))).toHaveLength(2)
    expect(files.get('xl/worksheets/sheet1.xml')).toMatch(/<row r="2"><c r="A2"><v>1<.*<row r="3"><c r="A3"><v>2</)
    expect(files.get('xl/worksheets/sheet2.xml')).toMatch(
      /<row r="1">.*<row r="2"><c r="A2"><v>3<.*<row r="3"><c r="A3"><v>4</,
    )
    expect(files.get('xl/workbook.xml')).toContain(`<sheet name="${'x'.repeat(29)} 2" sheetId="2" r:id="rId2"/>`)
    expect(files.get('[Content_Types].xml')).toContain('/xl/worksheets/sheet2.xml')
  })

  test('begins another sheet before one has more bytes than a zip holds', async () => {
    const rows = Array.from({ length: 4000 }, (_, i) => [`${i}`.padEnd(100, 'x')])
    const files = await parts(rows, { mostBytes: 200_000 })
    const sheets = [...files].filter(([name]) => name.startsWith('xl/worksheets/'))
    expect(sheets.length).toBeGreaterThan(2)
    for (const [, text] of sheets) expect(text.length).toBeLessThan(400_000)
    expect(sheets.map(([, text]) => text.split('<row ').length - 2).reduce((sum, count) => sum + count)).toBe(4000)
  })

  test('asks for no more rows than were taken, and ends their source when nobody takes them', async () => {
    let asked = 0
    let ended = false
    async function* endless(): AsyncGenerator<readonly unknown[]> {
      try {
        for (;;) yield [`${asked++} ${Math.random()}`.repeat(50)]
      } finally {
        ended = true
      }
    }
    const xlsx = writeXlsx(endless(), { columns: [{ header: 'a' }] })
    for (let i = 0; i < 3; i++) await xlsx.next()
    const before = asked
    await new Promise((resolve) => setImmediate(resolve))
    expect(asked - before).toBeLessThan(1000)
    await xlsx.return()
    expect(ended).toBe(true)
  })

  test('fails with what its rows fail with', async () => {
    async function* failing(): AsyncGenerator<readonly unknown[]> {
      yield [1]
      throw new Error('the database is away')
    }
    const read = async (): Promise<void> => {
      for await (const _ of writeXlsx(failing(), { columns: [{ header: 'a' }] }));
    }
    await expect(read()).rejects.toThrow('the database is away')
  })

  test.each(['', 'x'.repeat(32), 'a/b', 'a[b', "'a", 'a\nb'])('refuses the name %j of a sheet', async (sheet) => {
    await expect(parts([], { sheet })).rejects.toMatchObject({ code: 'PLIMSOLL_OPTION_INVALID' })
  })

  test('names columns as spreadsheets do', () => {
    expect([0, 25, 26, 51, 52, 701, 702, 16_383].map(columnName)).toEqual([
      'A',
      'Z',
      'AA',
      'AZ',
      'BA',
      'ZZ',
      'AAA',
      'XFD',
    ])
  })
})
