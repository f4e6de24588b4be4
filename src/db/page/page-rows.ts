import type { CompiledQuery } from '../compile/compiled-query.ts'
import { JsonWriter } from '../decode/json-writer.ts'
import { jsonFormat } from '../run/json-format.ts'
import type { RawRows } from '../../postgres/index.ts'
import { jsonEncoder, rowDecoder } from '../run/generated.ts'
import type { ReadInput } from '../run/read.ts'
import { loadChildrenOf } from '../run/run-query.ts'
import { valueFormat } from '../run/value-format.ts'
import type { JsonPage, Page, PageMarks } from '../types/result.ts'

/** The rows of a page among those that were read for it: all but the one that tells whether there is another page. */
export interface PageRows {
  readonly query: CompiledQuery
  readonly rows: RawRows
  readonly from: number
  readonly to: number
  readonly size: number
}

/** A page as JavaScript values. */
export async function pageValues<M extends string | number>(
  { query, rows, from, to, size }: PageRows,
  input: ReadInput,
  marks: PageMarks<M>,
): Promise<Page<unknown, M>> {
  const children = await loadChildrenOf(query, { ...input, format: valueFormat }, { rows, from, to })
  const decode = rowDecoder(query.shape)
  const data: unknown[] = []
  rows.each((chunk, start, end) => data.push(decode(chunk, start, end, children)), from, to)
  return { data, size, ...marks }
}

const comma = 0x2c

/** A page as the JSON that lists answer with: `{"data":[…],"page":{"size","next","previous","total"?}}`. */
export async function pageJson<M extends string | number>(
  { query, rows, from, to, size }: PageRows,
  input: ReadInput,
  marks: PageMarks<M>,
): Promise<JsonPage<M>> {
  const children = await loadChildrenOf(query, { ...input, format: jsonFormat }, { rows, from, to })
  const encode = jsonEncoder(query.shape)
  const writer = new JsonWriter()
  writer.writeAscii('{"data":[')
  const empty = writer.length
  rows.each(
    (chunk, start, end) => {
      if (writer.length > empty) writer.writeByte(comma)
      encode(writer, chunk, start, end, children)
    },
    from,
    to,
  )
  // The order of the members is fixed, as clients see it.
  const { next, previous, total } = marks
  writer.writeAscii(`],"page":${JSON.stringify({ size, next, previous, total })}}`)
  return { body: writer.toBuffer(), ...marks }
}
