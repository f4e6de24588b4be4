import type { WireValue } from '../../core/wire.ts'
import type { Executor } from '../../postgres/index.ts'
import type { CompiledQuery } from '../compile/compiled-query.ts'
import { JsonWriter } from '../decode/json-writer.ts'
import { jsonEncoder, rowDecoder } from './generated.ts'
import { jsonFormat } from './json-format.ts'
import { runQuery } from './run-query.ts'
import { valueFormat } from './value-format.ts'

/** What a read needs besides the compiled query. */
export interface ReadInput {
  readonly executor: Executor
  readonly values: readonly WireValue[]
}

const openBracket = 0x5b
const closeBracket = 0x5d
const comma = 0x2c

/** All rows as JavaScript values. */
export async function readRows(query: CompiledQuery, input: ReadInput): Promise<unknown[]> {
  const decode = rowDecoder(query.shape)
  const rows: unknown[] = []
  await runQuery(query, { ...input, format: valueFormat }, (chunk, start, end, children) => {
    rows.push(decode(chunk, start, end, children))
  })
  return rows
}

/** All rows as one JSON array. */
export async function readJson(query: CompiledQuery, input: ReadInput): Promise<Buffer> {
  const encode = jsonEncoder(query.shape)
  const writer = new JsonWriter()
  writer.writeByte(openBracket)
  await runQuery(query, { ...input, format: jsonFormat }, (chunk, start, end, children) => {
    if (writer.length > 1) writer.writeByte(comma)
    encode(writer, chunk, start, end, children)
  })
  writer.writeByte(closeBracket)
  return writer.toBuffer()
}

/** Every row as a JSON document of its own. */
export async function readJsonRows(query: CompiledQuery, input: ReadInput): Promise<Buffer[]> {
  const encode = jsonEncoder(query.shape)
  const rows: Buffer[] = []
  await runQuery(query, { ...input, format: jsonFormat }, (chunk, start, end, children) => {
    const writer = new JsonWriter()
    encode(writer, chunk, start, end, children)
    rows.push(writer.toBuffer())
  })
  return rows
}
