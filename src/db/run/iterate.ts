import type { CompiledQuery } from '../compile/compiled-query.ts'
import { bindParameters } from '../compile/sql-text.ts'
import { RawRows } from '../../postgres/index.ts'
import { rowDecoder } from './generated.ts'
import type { ReadInput } from './read.ts'
import { loadChildrenOf } from './run-query.ts'
import { valueFormat } from './value-format.ts'

/**
 * The rows one after the other, fetched `chunkSize` at a time by a server-side cursor; relations are loaded per chunk.
 * Memory holds one chunk, whatever the size of the result.
 */
export async function* iterateRows(
  query: CompiledQuery,
  input: ReadInput,
  chunkSize: number,
): AsyncGenerator<unknown, void, void> {
  const decode = rowDecoder(query.shape)
  const chunk = new RawRows()
  const values = bindParameters(query.sources, input.values, [])
  const chunks = input.executor.cursor(query.statement, values, chunk.sink, { chunkSize })
  for await (const _ of chunks) {
    const children = await loadChildrenOf(query, { ...input, format: valueFormat }, { rows: chunk })
    const rows: unknown[] = []
    chunk.each((bytes, start, end) => rows.push(decode(bytes, start, end, children)))
    chunk.clear()
    yield* rows
  }
}
