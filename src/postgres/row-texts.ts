import type {} from '../core/buffer-slices.ts'
import type { Executor, Statement } from './contract.ts'
import type { WireValue } from '../core/wire.ts'

/** The columns of a DataRow as texts; see `RowSink` for its form. */
export function rowTexts(chunk: Buffer, start: number): (string | null)[] {
  const texts: (string | null)[] = []
  let at = start + 2
  for (let left = chunk.readInt16BE(start); left > 0; left--) {
    const length = chunk.readInt32BE(at)
    at += 4
    texts.push(length < 0 ? null : chunk.utf8Slice(at, at + length))
    at += Math.max(length, 0)
  }
  return texts
}

/** Runs a statement, and collects its rows as texts. */
export async function readTexts(
  executor: Executor,
  statement: Statement,
  values: readonly WireValue[] = [],
): Promise<(string | null)[][]> {
  const rows: (string | null)[][] = []
  await executor.execute(statement, values, (chunk, start) => void rows.push(rowTexts(chunk, start)))
  return rows
}
