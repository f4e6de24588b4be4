import { isPlimsollError, PlimsollError } from '../../core/errors.ts'
import { createStatement, readTexts, type Postgres, type Statement } from '../../postgres/index.ts'

/** The key of the advisory lock that processes take to make the tables; any number, the same for all of them. */
const tableLock = 7_056_209_309

const once = (text: string): Statement => createStatement(text, { prepare: false, tracked: true })

/**
 * `uploads` has a row for each upload from its ticket until some days after its end; `upload_parts` what was appended to one that comes
 * in order (tus); `upload_sweeps` one row: until when somebody removes what was given up.
 */
const script = `
create schema if not exists plimsoll;
create table if not exists plimsoll.uploads (
  id text primary key,
  route text not null,
  owner text,
  name text not null,
  type text not null,
  size bigint not null,
  sha256 text,
  crc32c text,
  kind text not null,
  part_bytes bigint not null,
  store_id text,
  state text not null default 'open',
  received bigint not null default 0,
  writer text,
  writer_until timestamptz,
  object_key text,
  outcome jsonb,
  tidy boolean not null default false,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null
) with (fillfactor = 70);
create index if not exists uploads_expires_at_idx on plimsoll.uploads (expires_at);
create table if not exists plimsoll.upload_parts (
  upload text not null references plimsoll.uploads on delete cascade,
  number integer not null,
  kind text not null,
  size bigint not null,
  etag text not null,
  primary key (upload, kind, number)
);
create table if not exists plimsoll.upload_sweeps (
  one boolean primary key default true check (one),
  until timestamptz not null
)`

const look =
  once(`select coalesce(has_schema_privilege(n.oid, 'usage'), false), c.oid is not null, current_user, current_database()
  from (values (1)) one
  left join pg_namespace n on n.nspname = 'plimsoll'
  left join pg_class c on c.relnamespace = n.oid and c.relname = 'upload_sweeps'`)

/**
 * Makes the tables of uploads when they are missing; of several processes that start at once, one does.
 *
 * @throws PLIMSOLL_UPLOADS_UNAVAILABLE when the role may not make them
 */
export async function ensureUploadTables(postgres: Postgres): Promise<void> {
  const [[usable, there, role, database]] = (await readTexts(postgres, look)) as [string[]]
  if (usable === 't' && there === 't') return
  try {
    await postgres.transaction(
      async (transaction) => {
        await transaction.execute(once(`select pg_advisory_xact_lock(${tableLock})`), [])
        const [[, made]] = (await readTexts(transaction, look)) as [string[]]
        if (made === 't') return
        for (const statement of script.split(';')) await transaction.execute(once(statement), [])
      },
      { statementTimeout: 0 },
    )
  } catch (error) {
    if (!isPlimsollError(error) || error.details.sqlState !== '42501') throw error
    throw new PlimsollError(
      'PLIMSOLL_UPLOADS_UNAVAILABLE',
      `The tables of uploads are missing, and the role "${role}" may not create them in "${database}". Run 'plimsoll migrate' as a role that may, or: grant create on database "${database}" to "${role}"`,
      { cause: error, details: { role, database } },
    )
  }
}
