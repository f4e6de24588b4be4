import type { Postgres } from '../../../postgres/index.ts'
import { ensureTables } from '../../ensure-tables.ts'

/**
 * `lane` names what a job waits with: the jobs of one queue, priority and tenant, in the order of `seq`. A job gets a new `seq` each
 * time it becomes ready. Text columns hold JSON, which is handed through and never looked into.
 *
 * `unique_key` is the key that a job holds, and `ending_key` the one that it held when it was cancelled while it ran.
 *
 * The states are those of the contract, and `handed` for what a broker has: it waits there, and is in no lane.
 *
 * Every state has an index of its own that holds just the jobs in it: those that are ready are found in the order they run in,
 * however many are delayed, running or done.
 */
const script = `
create schema if not exists plimsoll;
create sequence if not exists plimsoll.jobs_seq;
create table if not exists plimsoll.jobs (
  id uuid primary key,
  lane bigint not null,
  seq bigint not null default nextval('plimsoll.jobs_seq'),
  state text not null,
  name text not null,
  version integer not null,
  queue text not null,
  priority smallint not null,
  tenant text not null,
  attempts integer not null default 0,
  deaths integer not null default 0,
  worker bigint,
  limit_key text,
  unique_key text,
  unique_until timestamptz,
  unique_started boolean,
  ending_key text,
  due_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  ended_at timestamptz,
  expires_at timestamptz,
  cancel boolean,
  watched boolean,
  owner text,
  trace text,
  step text,
  input text not null,
  output text,
  error text,
  progress text
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_scale_factor = 0.5);
create index if not exists jobs_waiting_idx on plimsoll.jobs (lane, seq) where state = 'waiting';
create index if not exists jobs_delayed_idx on plimsoll.jobs (due_at) where state = 'delayed';
create index if not exists jobs_active_idx on plimsoll.jobs (worker) where state = 'active';
create index if not exists jobs_limited_idx on plimsoll.jobs (limit_key) where state = 'active' and limit_key is not null;
create index if not exists jobs_expiring_idx on plimsoll.jobs (expires_at) where expires_at is not null;
create index if not exists jobs_stuck_idx on plimsoll.jobs (state, seq) where state in ('failed', 'parked', 'quarantined');
create unique index if not exists jobs_unique_idx on plimsoll.jobs (unique_key) where unique_key is not null;
create index if not exists jobs_ending_idx on plimsoll.jobs (ending_key) where state = 'active' and ending_key is not null;
create table if not exists plimsoll.job_workers (
  id bigint generated always as identity primary key,
  host text not null,
  pid integer not null,
  started_at timestamptz not null default clock_timestamp(),
  alive_until timestamptz not null
) with (fillfactor = 20);
create table if not exists plimsoll.job_rates (
  limit_key text primary key,
  tokens double precision not null,
  at timestamptz not null
) with (fillfactor = 20)`

/**
 * Makes the tables of the jobs when they are missing.
 *
 * @throws PLIMSOLL_JOBS_UNAVAILABLE when the role may not make them
 */
export async function ensureJobTables(postgres: Postgres): Promise<void> {
  await ensureTables(postgres, { script, last: 'job_rates', lock: 7_056_209_304 })
}
