import { createStatement, readTexts, type Postgres } from '../../../postgres/index.ts'
import { ensureTables } from '../../ensure-tables.ts'

/**
 * What RabbitMQ needs beside the tables of the jobs: an index of what it has been handed; the messages that are void though they
 * may still arrive; a name for this database, which its queues carry, so that two that share a broker do not get each other's jobs;
 * what a relay has handed on, by the first job of each pack; and the ids that were given for jobs whose keys others held.
 */
const script = `
create index if not exists jobs_handed_idx on plimsoll.jobs (queue, id) where state = 'handed';
create table if not exists plimsoll.job_recalls (
  id uuid primary key,
  at timestamptz not null default clock_timestamp()
);
create index if not exists job_recalls_at_idx on plimsoll.job_recalls (at);
create table if not exists plimsoll.job_ledger (name text not null);
insert into plimsoll.job_ledger select substr(md5(random()::text || clock_timestamp()::text), 1, 8)
  where not exists (select from plimsoll.job_ledger);
create table if not exists plimsoll.job_relays (
  id uuid primary key,
  at timestamptz not null default clock_timestamp(),
  again boolean not null default false
);
create table if not exists plimsoll.job_aliases (
  id uuid primary key,
  job uuid not null,
  at timestamptz not null default clock_timestamp()
)`

/**
 * Makes them when they are missing. The tables of the jobs have to be there.
 *
 * @throws PLIMSOLL_JOBS_UNAVAILABLE when the role may not make them
 */
export async function ensureHandedTables(postgres: Postgres): Promise<void> {
  await ensureTables(postgres, { script, last: 'job_aliases', lock: 7_056_209_317 })
}

const ledgerName = createStatement('select name from plimsoll.job_ledger', { tracked: true })

/** The name of this database: eight hexadecimal digits that were drawn when the tables were made. */
export async function readLedgerName(postgres: Postgres): Promise<string> {
  const [[name]] = (await readTexts(postgres, ledgerName)) as [string[]]
  return name!
}
