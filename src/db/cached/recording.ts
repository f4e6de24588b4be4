import type {} from '../../core/buffer-slices.ts'
import { hash } from 'node:crypto'
import type { WireValue } from '../../core/wire.ts'
import { RawRows, type CommandResult, type Executor, type RowSink, type Statement } from '../../postgres/index.ts'
import { writeValue } from './plan-key.ts'

/*
 * What a read is kept as: the rows of each of its statements, as the database sent them.
 *
 *   recording  := version (1 byte), statement*
 *   statement  := digest of its name and values (16 bytes), number of rows (uint32), length of the rows in bytes (uint32), row*
 *   row        := length (uint32), body of the DataRow message
 *
 * Numbers are big-endian, as in PostgreSQL's own protocol.
 */
const version = 1
const digestBytes = 16
const headBytes = digestBytes + 8

/** An executor that keeps the rows of what it runs. */
export class Recording implements Executor {
  readonly #executor: Executor
  readonly #statements = new Map<string, RawRows>()

  constructor(executor: Executor) {
    this.#executor = executor
  }

  execute: Executor['execute'] = (statement, values, sink, options) => {
    return this.#executor.execute(statement, values, this.#sink(statement, values, sink), options)
  }

  batch: Executor['batch'] = (items, options) => {
    const kept = items.map((item) => ({ ...item, sink: this.#sink(item.statement, item.values, item.sink) }))
    return this.#executor.batch(kept, options)
  }

  // What is read in chunks is read so because it is too much to keep.
  cursor: Executor['cursor'] = (...call) => this.#executor.cursor(...call)

  toBuffer(): Buffer {
    const statements = [...this.#statements]
    const sizes = statements.map(([, rows]) => {
      let size = 0
      rows.each((_, start, end) => (size += 4 + end - start))
      return size
    })
    const bytes = Buffer.allocUnsafe(1 + sizes.reduce((sum, size) => sum + headBytes + size, 0))
    let at = bytes.writeUInt8(version)
    for (const [i, [digest, rows]] of statements.entries()) {
      at += bytes.write(digest, at, 'latin1')
      at = bytes.writeUInt32BE(rows.length, at)
      at = bytes.writeUInt32BE(sizes[i]!, at)
      rows.each((chunk, start, end) => {
        at = bytes.writeUInt32BE(end - start, at)
        at += chunk.copy(bytes, at, start, end)
      })
    }
    return bytes
  }

  #sink(statement: Statement, values: readonly WireValue[], sink: RowSink | undefined): RowSink {
    const rows = new RawRows()
    this.#statements.set(digestOf(statement, values), rows)
    return (chunk, start, end) => {
      rows.sink(chunk, start, end)
      sink?.(chunk, start, end)
    }
  }
}

/** An executor that answers with the rows of a recording; what is not in it, `fallback` runs. */
export class Replay implements Executor {
  readonly #bytes: Buffer
  readonly #fallback: Executor
  /** Where the rows of each statement begin and end, and how many they are. */
  readonly #statements: ReadonlyMap<string, { readonly from: number; readonly to: number; readonly rows: number }>

  constructor(bytes: Buffer, fallback: Executor) {
    this.#bytes = bytes
    this.#fallback = fallback
    this.#statements = readStatements(bytes)
  }

  execute: Executor['execute'] = async (statement, values, sink, options) => {
    return this.#play(statement, values, sink) ?? this.#fallback.execute(statement, values, sink, options)
  }

  batch: Executor['batch'] = async (items, options) => {
    const missing = items.filter((item) => this.#play(item.statement, item.values, item.sink) === undefined)
    if (missing.length > 0) await this.#fallback.batch(missing, options)
  }

  cursor: Executor['cursor'] = (...call) => this.#fallback.cursor(...call)

  #play(statement: Statement, values: readonly WireValue[], sink: RowSink | undefined): CommandResult | undefined {
    const kept = this.#statements.get(digestOf(statement, values))
    if (kept === undefined) return undefined
    for (let at = kept.from; at < kept.to;) {
      const start = at + 4
      at = start + this.#bytes.readUInt32BE(at)
      sink?.(this.#bytes, start, at)
    }
    return { command: 'SELECT', rowCount: kept.rows }
  }
}

/** The statements of a recording; none when another release wrote it in another form. */
function readStatements(bytes: Buffer): Map<string, { from: number; to: number; rows: number }> {
  const statements = new Map<string, { from: number; to: number; rows: number }>()
  if (bytes[0] !== version) return statements
  for (let at = 1; at < bytes.length;) {
    const digest = bytes.latin1Slice(at, at + digestBytes)
    const rows = bytes.readUInt32BE(at + digestBytes)
    const from = at + headBytes
    at = from + bytes.readUInt32BE(at + digestBytes + 4)
    statements.set(digest, { from, to: at, rows })
  }
  return statements
}

/** The name of a prepared statement is a hash of its text. */
function digestOf({ name, text }: Statement, values: readonly WireValue[]): string {
  return hash('sha256', `${name ?? text}\n${writeValue(values)}`, 'buffer').latin1Slice(0, digestBytes)
}
