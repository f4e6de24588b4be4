import { isPlimsollError, PlimsollError } from '../core/errors.ts'
import { createStatement, type Executor, type Postgres, type Statement, readTexts } from '../postgres/index.ts'

/** The key of the advisory lock that processes take to make the table; any number, the same for all of them. */
const tableLock = 7_056_209_302

const once = (text: string): Statement => createStatement(text, { prepare: false, tracked: true })

// A role without rights may use a table that others have made, so nothing is made that is there. The catalog tells everybody,
// where to_regclass is refused to whoever may not use the schema.
const look = once(`select n.oid is not null, c.oid is not null,
  coalesce(has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
    and has_table_privilege(c.oid, 'insert') and has_table_privilege(c.oid, 'update')
    and has_table_privilege(c.oid, 'delete'), false),
  current_user, current_database()
  from (values (1)) one
  left join pg_namespace n on n.nspname = 'plimsoll'
  left join pg_class c on c.relnamespace = n.oid and c.relname = 'outbox'`)

// Every row is deleted soon: vacuum must not wait until a fifth of what was once there is dead.
const createTable = once(`create table if not exists plimsoll.outbox (
    id bigint generated always as identity primary key,
    kind text not null,
    items text[] not null,
    created_at timestamptz not null default clock_timestamp(),
    attempts integer not null default 0,
    due_at timestamptz not null default clock_timestamp(),
    last_error text
  ) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)`)
const createIndex = once('create index if not exists outbox_due_at_idx on plimsoll.outbox (due_at)')

interface Found {
  readonly schema: boolean
  readonly table: boolean
  readonly usable: boolean
  readonly role: string
  readonly database: string
}

/**
 * Makes the table of the outbox when it is missing; of several processes that start at once, one does.
 *
 * @throws PLIMSOLL_OUTBOX_UNAVAILABLE when the role may not make it, or may not use it
 */
export async function ensureOutboxTable(postgres: Postgres): Promise<void> {
  const found = await lookForTable(postgres)
  if (found.usable) return
  if (found.table) throw unusable(found)
  try {
    await postgres.transaction(
      async (transaction) => {
        await transaction.execute(once(`select pg_advisory_xact_lock(${tableLock})`), [])
        const now = await lookForTable(transaction)
        if (now.table) return
        if (!now.schema) await transaction.execute(once('create schema plimsoll'), [])
        await transaction.execute(createTable, [])
        await transaction.execute(createIndex, [])
      },
      { statementTimeout: 0 },
    )
  } catch (error) {
    if (isPlimsollError(error) && error.details.sqlState === '42501') throw uncreatable(found, error)
    throw error
  }
}

async function lookForTable(executor: Executor): Promise<Found> {
  const [row] = await readTexts(executor, look)
  const [schema, table, usable, role, database] = row!
  return { schema: schema === 't', table: table === 't', usable: usable === 't', role: role!, database: database! }
}

function uncreatable({ schema, role, database }: Found, cause: unknown): PlimsollError {
  const grant = schema ? 'usage, create on schema plimsoll' : `create on database ${quote(database)}`
  return new PlimsollError(
    'PLIMSOLL_OUTBOX_UNAVAILABLE',
    `The table plimsoll.outbox is missing, and the role ${quote(role)} may not create it. Run 'plimsoll migrate' as a role that may, or: grant ${grant} to ${quote(role)}`,
    { cause, details: { role, database } },
  )
}

function unusable({ role, database }: Found): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_OUTBOX_UNAVAILABLE',
    `The role ${quote(role)} may not use the table plimsoll.outbox. Run, as its owner: grant usage on schema plimsoll to ${quote(role)}; grant select, insert, update, delete on plimsoll.outbox to ${quote(role)}`,
    { details: { role, database } },
  )
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
