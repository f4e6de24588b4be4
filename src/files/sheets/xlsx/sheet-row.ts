import { PlimsollError } from '../../../core/errors.ts'
import type { Cell, SheetColumn } from '../sheet.ts'
import { styleOf } from './parts.ts'
import { xmlText } from './xml-text.ts'

/** So many characters, in units of UTF-16, has a cell. */
const mostCharacters = 32_767
const dayMs = 86_400_000
/** Days between 30 December 1899, which Excel counts from, and 1970. */
const epochDays = 25_569
/** Spreadsheets believe in 29 February 1900, and count in days from there on. */
const firstTime = Date.UTC(1900, 2, 1)
const lastTime = Date.UTC(10_000, 0, 1) - 1
const mostDigits = 15

/** The name of a column by its index: A, B … Z, AA … */
export function columnName(index: number): string {
  let name = ''
  for (let rest = index; rest >= 0; rest = Math.floor(rest / 26) - 1)
    name = String.fromCodePoint(65 + (rest % 26)) + name
  return name
}

/** Writes the rows of one sheet. */
export class SheetRow {
  readonly #columns: readonly SheetColumn[]
  readonly #names: readonly string[]
  readonly #cut: boolean

  constructor(parts: {
    readonly columns: readonly SheetColumn[]
    readonly names: readonly string[]
    readonly tooLong: 'refuse' | 'cut'
  }) {
    this.#columns = parts.columns
    this.#names = parts.names
    this.#cut = parts.tooLong === 'cut'
  }

  /** The first row: the headers. */
  header(): string {
    const cells = this.#columns.map(({ header }, i) =>
      this.#text(header, { column: i, place: `${this.#names[i]}1`, style: ` s="${styleOf.header}"` }),
    )
    return `<row r="1">${cells.join('')}</row>`
  }

  /** @throws PLIMSOLL_SHEET_INVALID */
  toXml(cells: readonly Cell[], number: number): string {
    let xml = `<row r="${number}">`
    for (const [i, cell] of cells.entries())
      xml += this.#cell(cell, { column: i, place: `${this.#names[i]}${number}`, style: '' })
    return `${xml}</row>`
  }

  #cell(cell: Cell, at: { readonly column: number; readonly place: string; readonly style: string }): string {
    switch (cell.kind) {
      case 'empty':
        return ''
      case 'text':
        return this.#text(cell.text, at)
      case 'number':
        return cell.exact && isTooExact(cell.text)
          ? this.#text(cell.text, at)
          : `<c r="${at.place}"><v>${cell.text}</v></c>`
      case 'boolean':
        return `<c r="${at.place}" t="b"><v>${cell.value ? 1 : 0}</v></c>`
      case 'date':
      case 'datetime':
        return this.#time(cell, at)
    }
  }

  #time(
    { kind, at: time }: Extract<Cell, { readonly at: number }>,
    at: { readonly column: number; readonly place: string; readonly style: string },
  ): string {
    if (time < firstTime || time > lastTime) {
      const text = new Date(time).toISOString()
      return this.#text(kind === 'date' ? text.slice(0, -'T00:00:00.000Z'.length) : text, at)
    }
    const days = time / dayMs + epochDays
    return `<c r="${at.place}" s="${styleOf[kind]}"><v>${kind === 'date' ? Math.floor(days) : days}</v></c>`
  }

  #text(
    text: string,
    { column, place, style }: { readonly column: number; readonly place: string; readonly style: string },
  ): string {
    const xml = `<c r="${place}" t="inlineStr"${style}><is><t xml:space="preserve">`
    return `${xml}${xmlText(text.length > mostCharacters ? this.#shorten(text, { column, place }) : text)}</t></is></c>`
  }

  #shorten(text: string, { column, place }: { readonly column: number; readonly place: string }): string {
    if (this.#cut) return `${text.slice(0, mostCharacters - 1)}…`
    const { header } = this.#columns[column]!
    throw new PlimsollError(
      'PLIMSOLL_SHEET_INVALID',
      `The cell ${place} ('${header}') has ${text.length} characters, of which a cell of XLSX holds ${mostCharacters}; ` +
        "shorten it, say tooLong: 'cut', or write CSV.",
      { details: { column: header, place } },
    )
  }
}

/** Whether a number has more digits than a spreadsheet keeps, or is larger than its numbers are. */
function isTooExact(text: string): boolean {
  const mantissa = /^[-+]?([\d.]+)/.exec(text)?.[1] ?? ''
  return mantissa.replace('.', '').replace(/^0+/, '').length > mostDigits || !Number.isFinite(Number(text))
}
