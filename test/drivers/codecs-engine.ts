import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { WireValue } from '../../src/core/wire.ts'
import { compileTextReader } from '../../src/db/decode/text-reader.ts'
import { createStatement, openPostgres } from '../../src/postgres/index.ts'

/** A row as the wire carried it. */
export interface RawRow {
  readonly chunk: Buffer
  readonly start: number
  readonly end: number
}

/** A database for the codec tests: rows as the server sends them, and Drizzle on the same door. */
export interface CodecEngine extends AsyncDisposable {
  rows(sql: string, values?: readonly WireValue[]): Promise<RawRow[]>
  /** The first column of every row, in PostgreSQL's own text. */
  texts(sql: string, values?: readonly WireValue[]): Promise<(string | null)[]>
  readonly drizzle: NodePgDatabase
}

/** The schema that the tests work in, so that nothing else in the database is touched. */
export const codecsSchema = 'plimsoll_codecs'

/** Opens `url` and makes the schema of the tests. */
export async function openCodecEngine(url: string): Promise<CodecEngine> {
  const postgres = await openPostgres({ url })
  const firstText = compileTextReader([0])
  const rows = async (sql: string, values: readonly WireValue[] = []): Promise<RawRow[]> => {
    const found: RawRow[] = []
    await postgres.execute(createStatement(sql, { prepare: false }), values, (chunk, start, end) =>
      found.push({ chunk, start, end }),
    )
    return found
  }
  await rows(`drop schema if exists ${codecsSchema} cascade`)
  await rows(`create schema ${codecsSchema}`)
  return {
    rows,
    texts: async (sql, values) =>
      (await rows(sql, values)).map(({ chunk, start, end }) => firstText(chunk, start, end)[0]!),
    drizzle: drizzle({ client: postgres.client }),
    [Symbol.asyncDispose]: async () => {
      await rows(`drop schema ${codecsSchema} cascade`)
      await postgres.close()
    },
  }
}
