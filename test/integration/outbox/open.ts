import { afterAll, inject, onTestFinished } from 'vitest'
import { openOutbox, type Carrier, type Outbox } from '../../../src/outbox/index.ts'
import { createStatement, openPostgres, type Postgres } from '../../../src/postgres/index.ts'
import { createDatabase, embeddedDatabase, type Database } from '../../servers/database.ts'
import { createTable, rowsOf, run } from '../../drivers/door.ts'

/** The engines that the outbox is tested on. */
export const engines: readonly string[] = inject('postgresUrl') ? ['PGlite', 'PostgreSQL'] : ['PGlite']

/** An outbox whose carrier of tags writes down what it is given. */
export interface Opened {
  readonly database: Database
  readonly postgres: Postgres
  readonly outbox: Outbox
  /** What was carried, a line each: the tags, then `late` when not by the writer itself. */
  readonly carried: string[]
  /** A table with a column `n`. */
  readonly table: string
  /** Inserts a row, as a write that reports its tags. */
  insert(n: number, options?: { readonly tags?: readonly string[] }): Promise<void>
  /** The items of the rows of the outbox, a line each. */
  recorded(): Promise<string[]>
}

interface Door {
  readonly database: Database
  readonly postgres: Postgres
}

// A database takes PGlite seconds to make, so the tests of a file share one; each has a table and an outbox of its own.
const doors = new Map<string, Promise<Door>>()
afterAll(async () => {
  for (const door of doors.values()) await close(await door)
})

async function openDoor(engine: string): Promise<Door> {
  const database = engine === 'PGlite' ? embeddedDatabase : await createDatabase()
  return { database, postgres: await openPostgres({ url: database.url }) }
}

async function close({ database, postgres }: Door): Promise<void> {
  await postgres.close()
  await database.drop()
}

async function doorFor(engine: string, { fresh, url }: Pick<OpenOptions, 'fresh' | 'url'>): Promise<Door> {
  let door = doors.get(engine)
  if (fresh) {
    const own = await openDoor(engine)
    onTestFinished(() => close(own))
    return own
  }
  if (door === undefined) doors.set(engine, (door = openDoor(engine)))
  const shared = await door
  if (url === undefined) return shared
  const postgres = await openPostgres({ url })
  onTestFinished(() => postgres.close())
  return { database: shared.database, postgres }
}

interface OpenOptions {
  /** Default true. */
  readonly durable?: boolean
  /** Default: as `durable`. */
  readonly records?: boolean
  /** A database of the test's own. Default: that of the file. */
  readonly fresh?: boolean
  /** Another way to the database of the file. */
  readonly url?: string
}

/** Opens an outbox on the engine, with a table. */
export async function open(
  engine: string,
  { durable = true, records = durable, ...where }: OpenOptions = {},
): Promise<Opened> {
  const { database, postgres } = await doorFor(engine, where)
  const outbox = await openOutbox({ postgres, durable, records, pollMs: 50 })
  onTestFinished(() => outbox.close())
  if (records && where.url === undefined) await run(postgres, 'delete from plimsoll.outbox')
  const carried: string[] = []
  outbox.carry('cache.bump', recorder(carried))
  const table = await createTable(postgres, 'n int primary key')
  const statement = createStatement(`insert into ${table} values ($1)`, { tracked: true })
  return {
    database,
    postgres,
    outbox,
    carried,
    table,
    insert: (n, { tags = [`t:${n}`] } = {}) =>
      outbox.write(
        async (executor) => {
          await executor.execute(statement, [n])
          return { result: undefined, tags }
        },
        ['t', 't*'],
      ),
    recorded: async () => {
      const rows = await rowsOf(
        postgres,
        `select kind || ' ' || array_to_string(items, ',') from plimsoll.outbox order by id`,
      )
      return rows.map(([line]) => line!)
    },
  }
}

/** A carrier that writes down what it is given. */
export function recorder(lines: string[]): Carrier {
  return async (items, { late }) => void lines.push(`${items.join()}${late ? ' late' : ''}`)
}
