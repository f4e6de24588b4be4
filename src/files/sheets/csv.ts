import { PlimsollError, showValue } from '../../core/errors.ts'
import { toCell, type Cell, type SheetColumn } from './sheet.ts'

/** How a CSV file is written. */
export interface CsvOptions {
  /** Default `','`; Excel takes `';'` where the decimal sign is a comma. */
  readonly separator?: ',' | ';' | '\t' | '|' | undefined
  /** Begins with a byte order mark, by which Excel knows UTF-8. Default true. */
  readonly bom?: boolean | undefined
  /** Writes the headers first. Default true. */
  readonly headers?: boolean | undefined
  /**
   * Keeps spreadsheets from taking texts for formulas (OWASP, CSV injection): a text that begins with `=`, `+`, `-` or `@`, and is no
   * number, is written with an apostrophe before it. `'keep'` writes texts as they are, for programs. Default `'escape'`.
   */
  readonly formulas?: 'escape' | 'keep' | undefined
}

/** So many characters go out at a time. */
const batch = 64 * 1024
/** Also after spaces, and in the wide forms that spreadsheets of East Asia take for the same. */
const formula = /^\s*[=+\-@＝＋－＠\t\r\n|%]/u
/** Whoever opens the file may take another character for the separator, and what follows it for a field, such as a formula. */
const special = /["\r\n,;\t|]|^\s|\s$/
const plainNumber = /^[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?%?$/

/**
 * Rows as CSV (RFC 4180) in UTF-8. Null is nothing, an empty text is `""`; times are ISO 8601 in UTC. Memory holds one batch.
 *
 * @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_SHEET_INVALID
 */
export async function* writeCsv(
  rows: AsyncIterable<readonly unknown[]>,
  {
    columns,
    separator = ',',
    bom = true,
    headers = true,
    formulas = 'escape',
  }: CsvOptions & { readonly columns: readonly SheetColumn[] },
): AsyncGenerator<Buffer, void, void> {
  checkOptions({ separator, formulas })
  const quote = (text: string): string => (text === '' || special.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
  const guard = (text: string): string =>
    formulas === 'escape' && formula.test(text) && !plainNumber.test(text) ? `'${text}` : text
  const field = (cell: Cell): string => {
    switch (cell.kind) {
      case 'empty':
        return ''
      case 'text':
        return quote(guard(cell.text))
      case 'number':
        return cell.text
      case 'boolean':
        return cell.value ? 'true' : 'false'
      case 'date':
        return new Date(cell.at).toISOString().slice(0, -'T00:00:00.000Z'.length)
      case 'datetime':
        return new Date(cell.at).toISOString()
    }
  }
  let text = bom ? '\uFEFF' : ''
  if (headers) text += `${columns.map(({ header }) => quote(guard(header))).join(separator)}\r\n`
  for await (const row of rows) {
    const line = columns.map((column, i) => field(toCell(row[i], column))).join(separator)
    // An empty line is no row to those who read it.
    text += line === '' ? '""\r\n' : `${line}\r\n`
    if (text.length < batch) continue
    yield Buffer.from(text)
    text = ''
  }
  if (text !== '') yield Buffer.from(text)
}

function checkOptions({ separator, formulas }: { readonly separator: string; readonly formulas: string }): void {
  if (![',', ';', '\t', '|'].includes(separator)) throw invalid('separator', separator, "give ',', ';', '|' or a tab")
  if (formulas !== 'escape' && formulas !== 'keep') throw invalid('formulas', formulas, "give 'escape' or 'keep'")
}

function invalid(option: string, value: unknown, fix: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${option} of a CSV file is ${showValue(value)}; ${fix}.`, {
    details: { option },
  })
}
