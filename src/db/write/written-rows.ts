import type { WireValue } from '../../core/wire.ts'
import type { Executor, Statement } from '../../postgres/index.ts'
import type { Column } from '../../schema/model.ts'
import { compileTextReader, type TextReader } from '../decode/text-reader.ts'
import { mostReturnedRows, type RowTexts } from './tracked-write.ts'

/**
 * A write that gives back how many rows it wrote, and `returned` of some of them: as many as can be told apart by tags, and one
 * more. Only those travel, however many there are.
 */
export function returningSome(write: string, returned: readonly string[]): string {
  const named = (returned.length > 0 ? returned : ['1']).map((expression, i) => `${expression} as "${i}"`).join(', ')
  const some = `select * from "__written" limit ${mostReturnedRows}`
  return `with "__written" as (${write} returning ${named}) select (select count(*) from "__written"), "__some".* from (${some}) as "__some"`
}

const readers: TextReader[] = []

/** Reads the first columns of a row, so many of them. */
function readerOf(columns: number): TextReader {
  return (readers[columns] ??= compileTextReader(Array.from({ length: columns }, (_, slot) => slot)))
}

/**
 * Runs a write made by {@link returningSome}, which returns `columns` of every row; with `old`, then the same of the row as it was.
 */
export async function runReturningSome(
  executor: Executor,
  {
    statement,
    values,
    columns,
    old,
  }: { statement: Statement; values: readonly WireValue[]; columns: readonly Column[]; old: boolean },
): Promise<{ readonly rowCount: number; readonly rows: readonly RowTexts[] }> {
  const read = readerOf(1 + columns.length * (old ? 2 : 1))
  const rows: RowTexts[] = []
  let rowCount = 0
  await executor.execute(statement, values, (chunk, start, end) => {
    const [count, ...texts] = read(chunk, start, end)
    rowCount = Number(count)
    rows.push(texts.slice(0, columns.length))
    if (old) rows.push(texts.slice(columns.length))
  })
  return { rowCount, rows }
}
