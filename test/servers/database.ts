import pg from 'pg'
import { inject } from 'vitest'

/** A database of a test file's own. */
export interface Database {
  readonly url: string
  drop(): Promise<void>
}

/** Makes a database on the PostgreSQL of the test run, or on the server at `url`: an empty one, or a copy of the one at `template`. */
export async function createDatabase(
  url = inject('postgresUrl'),
  { template }: { readonly template?: string } = {},
): Promise<Database> {
  const name = `test_${process.pid}_${Math.random().toString(36).slice(2, 10)}`
  const run = async (text: string): Promise<void> => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(text)
    await client.end()
  }
  await run(
    `create database ${name}${template === undefined ? '' : ` template ${new URL(template).pathname.slice(1)}`}`,
  )
  return {
    url: Object.assign(new URL(url), { pathname: `/${name}` }).href,
    drop: () => run(`drop database ${name} with (force)`),
  }
}

/** A database inside the test's own process. */
export const embeddedDatabase: Database = { url: 'pglite:memory', drop: async () => {} }

/** A database for what is the same on every engine: of PostgreSQL where there is one, since to open an embedded one takes a second of a processor. */
export async function anyDatabase(): Promise<Database> {
  return inject('postgresUrl') === '' ? embeddedDatabase : createDatabase()
}
