import { defineRelations } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { integer, pgSchema, type PgColumnBuilder } from 'drizzle-orm/pg-core'
import type { WireValue } from '../../src/core/wire.ts'
import { compileTextReader } from '../../src/db/decode/text-reader.ts'
import { createStatement, openPostgres, type Postgres } from '../../src/postgres/index.ts'
import { buildModelGraph } from '../../src/schema/index.ts'
import type { Codec } from '../../src/schema/model.ts'
import { mood, type ColumnCase } from './codecs-columns.ts'

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
  readonly postgres: Postgres
}

/** The schema that the tests work in, so that nothing else in the database is touched. */
export const codecsSchema = 'plimsoll_codecs'

/** Opens `url` and makes the schema of the tests, and the enum type. */
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
  const members = mood.enumValues.map((member) => `'${member.replaceAll("'", "''")}'`)
  await rows(`drop type if exists ${codecOf(mood()).sqlType}`)
  await rows(`create type ${codecOf(mood()).sqlType} as enum (${members.join(', ')})`)
  return {
    rows,
    texts: async (sql, values) =>
      (await rows(sql, values)).map(({ chunk, start, end }) => firstText(chunk, start, end)[0]!),
    drizzle: drizzle({ client: postgres.client }),
    postgres,
    [Symbol.asyncDispose]: async () => {
      await rows(`drop schema ${codecsSchema} cascade`)
      await postgres.close()
    },
  }
}

/** The codec of a column. */
export function codecOf(column: unknown): Codec {
  const table = pgSchema(codecsSchema).table('t', { v: column as PgColumnBuilder })
  return buildModelGraph(defineRelations({ rows: table }))
    .models.get('rows')!
    .columns.get('v')!.codec
}

/** What {@link createTable} makes. */
export type CodecTable = Awaited<ReturnType<typeof createTable>>

let tables = 0

/** A table with the key `id` and a column `v` of the case, or of arrays of it. */
export async function createTable(engine: CodecEngine, { column }: ColumnCase, dimensions: 0 | 1 | 2) {
  tables += 1
  const name = `${codecsSchema}.t${tables}`
  const builder = column() as PgColumnBuilder & { array(dimensions: string): PgColumnBuilder }
  const table = pgSchema(codecsSchema).table(`t${tables}`, {
    id: integer().primaryKey().generatedAlwaysAsIdentity(),
    v: dimensions === 0 ? builder : builder.array('[]'.repeat(dimensions)),
  })
  const codec = buildModelGraph(defineRelations({ rows: table }))
    .models.get('rows')!
    .columns.get('v')!.codec
  const declared = (table.v.columnType === 'PgEnumColumn' ? codec.sqlType.replaceAll('[]', '') : table.v.getSQLType())
    .replace('bigserial', 'bigint')
    .replace('smallserial', 'smallint')
    .replace('serial', 'integer')
  await engine.rows(
    `create table ${name} (id integer primary key generated always as identity, v ${declared}${'[]'.repeat(dimensions)})`,
  )
  return { name, table, codec }
}
