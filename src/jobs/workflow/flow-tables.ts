import type { Postgres } from '../../postgres/index.ts'
import { ensureTables } from '../ensure-tables.ts'

/**
 * A workflow is a tree: jobs are its leaves, chains and groups what holds them. `inside` says what a step is in, `parent` which one,
 * `position` where. No row counts the steps that are left: a group is done when the index of what is open has none of it, so that ten
 * thousand jobs of one group never wait for each other.
 *
 * A workflow in which a step has failed is still running: that it has failed is read off its steps.
 */
const script = `
create schema if not exists plimsoll;
create table if not exists plimsoll.job_flows (
  id uuid primary key,
  state text not null,
  tenant text not null,
  owner text,
  output text,
  watched boolean,
  keep_ms double precision not null,
  keep_failed_ms double precision not null,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  expires_at timestamptz
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index if not exists job_flows_expiring_idx on plimsoll.job_flows (expires_at) where expires_at is not null;
create table if not exists plimsoll.job_steps (
  flow uuid not null,
  step integer not null,
  kind text not null,
  inside text,
  parent integer,
  position integer not null,
  state text not null,
  job uuid,
  name text,
  version integer,
  queue text,
  priority smallint,
  limit_key text,
  given boolean not null,
  input text,
  output text,
  error text,
  attempts integer not null default 0,
  begun_at timestamptz,
  ended_at timestamptz,
  expires_at timestamptz,
  primary key (flow, step)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
create index if not exists job_steps_inside_idx on plimsoll.job_steps (flow, parent, position);
create index if not exists job_steps_open_idx on plimsoll.job_steps (flow, parent) where state <> 'done';
create index if not exists job_steps_running_idx on plimsoll.job_steps (flow, step) where state = 'running';
create index if not exists job_steps_stopped_idx on plimsoll.job_steps (flow) where state in ('failed', 'cancelled');
create index if not exists job_steps_expiring_idx on plimsoll.job_steps (expires_at) where expires_at is not null`

/**
 * Makes the tables of the workflows when they are missing.
 *
 * @throws PLIMSOLL_JOBS_UNAVAILABLE when the role may not make them
 */
export async function ensureFlowTables(postgres: Postgres): Promise<void> {
  await ensureTables(postgres, { script, last: 'job_steps', lock: 7_056_209_307 })
}
