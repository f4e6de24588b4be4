import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { open, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { ReportOutput } from '../../../src/app/index.ts'
import { diskStore } from '../../../src/files/drivers/disk/disk-store.ts'
import { writeXlsx } from '../../../src/files/sheets/xlsx/xlsx.ts'
import { writeZip, type ZipEntry } from '../../../src/files/sheets/xlsx/zip.ts'
import { makeCounters } from '../../faults/service.ts'
import { createDatabase, type Database } from '../../servers/database.ts'
import { findOpenpyxl } from '../../servers/openpyxl.ts'
import { reportMissing } from '../../servers/debian.ts'

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'plimsoll-large-'))
const rows = 200_000
const python = findOpenpyxl()
if (python === undefined) reportMissing('openpyxl', 'python3-openpyxl')

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What a program in Python prints, as JSON. */
async function readBy(program: string, ...args: readonly string[]): Promise<unknown> {
  const { stdout } = await run(python!, ['-c', program, ...args], { maxBuffer: 64 * 1024 ** 2 })
  return JSON.parse(stdout)
}

describe.skipIf(inject('postgresUrl') === '')('a report of 200,000 rows', () => {
  let database: Database
  beforeAll(async () => {
    database = await createDatabase()
    await makeCounters(database.url, rows)
  })
  afterAll(() => database.drop())

  async function write(
    format: string,
    count: number,
  ): Promise<{ output: ReportOutput; megabytes: number; bytes: Buffer }> {
    const program = fileURLToPath(new URL('write-report.ts', import.meta.url))
    const { stdout } = await run(process.execPath, [program, database.url, folder, format, String(count)])
    const { output, megabytes } = JSON.parse(stdout) as { output: ReportOutput; megabytes: number }
    await using store = diskStore({ folder })
    const { stream } = await store.get(output.key)
    return { output, megabytes, bytes: Buffer.concat(await stream.toArray()) }
  }

  test.each(['csv', 'xlsx'])('as %s needs little more memory than one of 2,000', async (format) => {
    const [few, many] = [await write(format, 2000), await write(format, rows)]
    expect([few.output.rows, many.output.rows]).toEqual([2000, rows])
    expect(many.bytes.length).toBe(many.output.size)
    expect(many.megabytes - few.megabytes).toBeLessThan(60)
    if (format === 'csv') {
      expect(many.bytes.toString().split('\r\n')).toHaveLength(rows + 2)
      return
    }
    const file = join(folder, 'many.xlsx')
    await writeFile(file, many.bytes)
    await run('unzip', ['-tq', file])
    const { stdout } = await run('unzip', ['-p', file, 'xl/worksheets/sheet1.xml'], { maxBuffer: 256 * 1024 ** 2 })
    expect(stdout.split('<row ')).toHaveLength(rows + 2)
    expect(stdout.slice(stdout.lastIndexOf('<row '))).toMatch(
      /^<row r="200001"><c r="A200001"><v>200000<.*<c r="D200001" s="3"><v>27883\.81.*>320000000000000000000000000<.*<\/worksheet>$/,
    )
  })
})

describe.skipIf(python === undefined)('an XLSX file in another reader', () => {
  test('has the values, types and styles that were written', async () => {
    const file = join(folder, 'types.xlsx')
    const columns = [
      { header: 'Name <&>' },
      { header: 'Number' },
      { header: 'Yes' },
      { header: 'Time' },
      { header: 'Day', type: 'date' as const, width: 30 },
      { header: 'Price', type: 'number' as const },
    ]
    const texts = ['=SUM(A1)', ' two  spaces ', 'line\nbreak', 'naïve 𝄞 "quoted" <b>', '+46', 'x'.repeat(32_767), '']
    async function* source(): AsyncGenerator<readonly unknown[]> {
      for (const [i, text] of texts.entries())
        yield [text, i / 3, i % 2 === 0, new Date(Date.UTC(2026, 10, 26, 12, 30, i)), '2026-11-26', '12.50']
      yield [null, null, null, null, null, null]
      yield ['last', 2n ** 60n, null, null, '1899-01-01', 'NaN']
    }
    await writeFile(file, writeXlsx(source(), { columns, sheet: 'Ünïcode & co' }))
    const program = `
import json, sys, openpyxl
book = openpyxl.load_workbook(sys.argv[1])
sheet = book.worksheets[0]
cells = [[c.value.isoformat() if hasattr(c.value, 'isoformat') else c.value for c in row] for row in sheet.iter_rows()]
print(json.dumps({
  'names': book.sheetnames, 'cells': cells, 'types': [c.data_type for c in sheet[2]], 'bold': sheet['A1'].font.b, 'frozen': sheet.freeze_panes,
  'formats': [c.number_format for c in sheet[2]], 'width': sheet.column_dimensions['E'].width,
}))`
    const read = (await readBy(program, file)) as { readonly cells: unknown[][] }
    expect(read).toMatchObject({
      names: ['Ünïcode & co'],
      types: ['s', 'n', 'b', 'd', 'd', 'n'],
      bold: true,
      frozen: 'A2',
      width: 30,
    })
    const [header, ...body] = read.cells
    expect(header).toEqual(columns.map((column) => column.header))
    for (const [i, text] of texts.entries()) {
      const [name, number, yes, time, day, price] = body[i]!
      expect([name ?? '', yes, day, price]).toEqual([text, i % 2 === 0, '2026-11-26T00:00:00', 12.5])
      expect(number).toBeCloseTo(i / 3, 12)
      expect(new Date(`${String(time)}Z`).getTime()).toBeCloseTo(Date.UTC(2026, 10, 26, 12, 30, i), -1)
    }
    expect(body.at(-1)).toEqual(['last', '1152921504606846976', null, null, '1899-01-01', 'NaN'])
  })

  test('has all its sheets', async () => {
    const file = join(folder, 'sheets.xlsx')
    async function* source(): AsyncGenerator<readonly unknown[]> {
      for (let i = 1; i <= 10; i++) yield [i]
    }
    await writeFile(file, writeXlsx(source(), { columns: [{ header: 'a' }], sheet: 'Rows', mostRows: 5 }))
    const program = `
import json, sys, openpyxl
book = openpyxl.load_workbook(sys.argv[1])
print(json.dumps([[s.title, [c.value for c in s['A']]] for s in book.worksheets]))`
    expect(await readBy(program, file)).toEqual([
      ['Rows', ['a', 1, 2, 3, 4]],
      ['Rows 2', ['a', 5, 6, 7, 8]],
      ['Rows 3', ['a', 9, 10]],
    ])
  })
})

test.skipIf(!existsSync('/usr/bin/unzip'))('a zip that reaches beyond 4 GB is read by others', async () => {
  const startsAt = 5 * 1024 ** 3
  async function* entries(): AsyncGenerator<ZipEntry> {
    yield { name: 'a.txt', data: [Buffer.from('beyond')] }
    yield { name: 'b.txt', data: [Buffer.from('and more')] }
  }
  const file = join(folder, 'far.zip')
  // What lies before it takes no room on a disk.
  await using handle = await open(file, 'w')
  let at = startsAt
  for await (const chunk of writeZip(entries(), { startsAt })) {
    await handle.write(chunk, 0, chunk.length, at)
    at += chunk.length
  }
  await run('unzip', ['-tq', file])
  const { stdout } = await run('unzip', ['-p', file, 'b.txt'])
  expect(stdout).toBe('and more')
})
