import { PlimsollError, showValue } from '../../../core/errors.ts'
import { toCell, type SheetColumn } from '../sheet.ts'
import { contentTypes, packageRelations, sheetHead, sheetTail, styles, workbook, workbookRelations } from './parts.ts'
import { columnName, SheetRow } from './sheet-row.ts'
import { writeZip, type ZipEntry } from './zip.ts'

/** How an XLSX file is written. */
export interface XlsxOptions {
  /** The name of the sheet; of others, when there are more rows than one holds, with a number. Default `'Sheet'`. */
  readonly sheet?: string | undefined
  /** What becomes of a text of more than 32,767 characters, which a cell does not hold. Default `'refuse'`. */
  readonly tooLong?: 'refuse' | 'cut' | undefined
}

/** What a sheet holds; tests make it smaller. */
export interface SheetBounds {
  readonly mostRows?: number | undefined
  readonly mostBytes?: number | undefined
}

/** So many rows has a sheet (ECMA-376; Excel's specifications and limits). */
const mostRows = 1_048_576
const mostColumns = 16_384
/** Below the 4 GB of an entry of a zip that everybody reads; the row that passes it still fits. */
const mostBytes = 3.5 * 1024 ** 3
/** So many characters go out at a time. */
const batch = 64 * 1024

/**
 * Rows as XLSX (ECMA-376), with texts in their cells (`inlineStr`), so that memory holds one batch, however many rows there are. After
 * 1,048,576 rows another sheet begins. Times are UTC. Numbers of more than 15 digits are texts, since spreadsheets round them.
 *
 * @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_SHEET_INVALID
 */
export async function* writeXlsx(
  rows: AsyncIterable<readonly unknown[]>,
  {
    columns,
    sheet = 'Sheet',
    tooLong = 'refuse',
    ...bounds
  }: XlsxOptions & SheetBounds & { readonly columns: readonly SheetColumn[] },
): AsyncGenerator<Uint8Array, void, void> {
  checkOptions({ sheet, tooLong, columns })
  const source = rows[Symbol.asyncIterator]()
  try {
    yield* writeZip(entriesOf(source, { columns, sheet, tooLong, ...bounds }))
  } finally {
    await source.return?.()
  }
}

type Written = Required<XlsxOptions> & SheetBounds & { readonly columns: readonly SheetColumn[] }

async function* entriesOf(source: AsyncIterator<readonly unknown[]>, options: Written): AsyncGenerator<ZipEntry> {
  const names: string[] = []
  let next = await source.next()
  do {
    const number = names.length + 1
    names.push(number === 1 ? options.sheet : `${options.sheet.slice(0, 31 - ` ${number}`.length)} ${number}`)
    const data = sheetOf(options, {
      peek: () => (next.done === true ? undefined : next.value),
      advance: async () => {
        next = await source.next()
      },
    })
    yield { name: `xl/worksheets/sheet${number}.xml`, data }
  } while (next.done !== true)
  const part = (name: string, text: string): ZipEntry => ({ name, data: [Buffer.from(text)] })
  yield part('xl/styles.xml', styles)
  yield part('xl/workbook.xml', workbook(names))
  yield part('xl/_rels/workbook.xml.rels', workbookRelations(names.length))
  yield part('_rels/.rels', packageRelations)
  yield part('[Content_Types].xml', contentTypes(names.length))
}

async function* sheetOf(
  { columns, tooLong, ...bounds }: Written,
  rows: { readonly peek: () => readonly unknown[] | undefined; readonly advance: () => Promise<void> },
): AsyncGenerator<Uint8Array, void, void> {
  const names = columns.map((_, i) => columnName(i))
  const rowOf = new SheetRow({ columns, names, tooLong })
  const most = bounds.mostRows ?? mostRows
  let left = bounds.mostBytes ?? mostBytes
  let text = sheetHead(columns) + rowOf.header()
  let number = 1
  for (let row = rows.peek(); row !== undefined && number < most && left > 0; row = rows.peek()) {
    text += rowOf.toXml(
      columns.map((column, i) => toCell(row[i], column)),
      ++number,
    )
    if (text.length >= batch) {
      const bytes = Buffer.from(text)
      left -= bytes.length
      yield bytes
      text = ''
    }
    await rows.advance()
  }
  yield Buffer.from(text + sheetTail)
}

function checkOptions({ sheet, tooLong, columns }: Pick<Written, 'sheet' | 'tooLong' | 'columns'>): void {
  // oxlint-disable-next-line no-control-regex -- they are refused
  if (typeof sheet !== 'string' || !/^(?!')[^\u0000-\u001F[\]:*?/\\]{1,31}(?<!')$/.test(sheet))
    throw invalid(
      'sheet',
      sheet,
      "give a name of up to 31 characters, without [ ] : * ? / \\ and without ' at its ends",
    )
  if (tooLong !== 'refuse' && tooLong !== 'cut') throw invalid('tooLong', tooLong, "give 'refuse' or 'cut'")
  if (columns.length > mostColumns)
    throw invalid('columns', columns.length, `a sheet has ${mostColumns} of them at most`)
  for (const { width } of columns)
    if (width !== undefined && !(width > 0 && width <= 255)) throw invalid('width', width, 'give 1 to 255 characters')
}

function invalid(option: string, value: unknown, fix: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${option} of an XLSX file is ${showValue(value)}; ${fix}.`, {
    details: { option },
  })
}
