import { createStatement, type Postgres, type Statement } from '../../postgres/index.ts'
import { ensureTables } from '../ensure-tables.ts'

/** What our own statements write is no effect of anybody's. */
const own = (text: string): Statement => createStatement(text, { tracked: true })

/**
 * `definition` is what the process that has started last says of the schedule, and `defined_at` when that started: only those that
 * agree with it enqueue. They hold it until `alive_until`, which they put off for as long as they live.
 */
const script = `
create schema if not exists plimsoll;
create table if not exists plimsoll.job_schedules (
  name text primary key,
  definition text not null,
  timing text not null,
  next_at timestamptz,
  last_at timestamptz,
  defined_at timestamptz not null default clock_timestamp(),
  alive_until timestamptz
) with (fillfactor = 50);
alter table plimsoll.job_schedules add column if not exists alive_until timestamptz`

/**
 * Makes the table of the schedules when it is missing.
 *
 * @throws PLIMSOLL_JOBS_UNAVAILABLE when the role may not make it
 */
export async function ensureScheduleTable(postgres: Postgres): Promise<void> {
  await ensureTables(postgres, { script, last: 'job_schedules', column: 'alive_until', lock: 7_056_209_306 })
}

const ours = '(name, definition) in (select * from unnest($1::text[], $2::text[]))'
const time = (value: string): string => `to_timestamp(${value}::float8 / 1000)`
/** A definition whose processes have not been heard of for so long is given up: by then they have put it off twice. */
const lease = `interval '30 seconds'`
/** Bounded above too: a clock that was set back must not keep it for ever. */
const alive = `coalesce(alive_until between clock_timestamp() and clock_timestamp() + ${lease}, false)`
/** Those that agree with a definition need not all put it off. */
const fresh = `coalesce(alive_until between clock_timestamp() + ${lease} * 2 / 3 and clock_timestamp() + ${lease}, false)`

/** The clock that counts, in milliseconds. */
export const readClock = own('select extract(epoch from clock_timestamp()) * 1000')
/** Forgets schedules that no process has known for a long time. */
export const removeStale = own(
  `delete from plimsoll.job_schedules where next_at < clock_timestamp() - interval '30 days'`,
)
/** Stores a schedule that is new. */
export const storeSchedule =
  own(`insert into plimsoll.job_schedules (name, definition, timing, next_at, defined_at, alive_until)
  values ($1, $2, $3, ${time('$4')}, ${time('$5')}, clock_timestamp() + ${lease}) on conflict do nothing`)
/**
 * Says what a schedule is from now on, unless a process that has started later says otherwise, and lives. Other times begin anew,
 * everything else goes on. Nobody waits for who is about to enqueue.
 */
export const changeSchedule =
  own(`update plimsoll.job_schedules set definition = $2, timing = $3, defined_at = ${time('$5')},
    alive_until = clock_timestamp() + ${lease}, next_at = case when timing = $3 then next_at else ${time('$4')} end
  where name in (select name from plimsoll.job_schedules
    where name = $1 and definition <> $2 and (defined_at < ${time('$5')} or not ${alive}) for update skip locked)`)
/**
 * What there is to do: our schedules that are due, or whose definition has to be held on to, and those that are ours if we say so. Of
 * each its name, whether it is another's, whether it is due, and the clock in milliseconds.
 */
export const findTasks = own(`select schedules.name, schedules.definition <> wanted.definition,
    coalesce(next_at <= clock_timestamp(), false), extract(epoch from clock_timestamp()) * 1000
  from plimsoll.job_schedules schedules
    join unnest($1::text[], $2::text[]) as wanted(name, definition) on wanted.name = schedules.name
  where case when schedules.definition = wanted.definition
    then next_at <= clock_timestamp() or not ${fresh} or defined_at < ${time('$3')}
    else not ${alive} or defined_at < ${time('$3')} end
  order by next_at`)
/** Holds on to definitions of ours. */
export const holdOn = own(`update plimsoll.job_schedules
  set alive_until = clock_timestamp() + ${lease}, defined_at = greatest(defined_at, ${time('$3')})
  where name in (select name from plimsoll.job_schedules
    where ${ours} and (not ${fresh} or defined_at < ${time('$3')}) for update skip locked)`)
/** In how many milliseconds the next one is. */
export const nextDue = own(
  `select extract(epoch from min(next_at) - clock_timestamp()) * 1000 from plimsoll.job_schedules where ${ours}`,
)
/** Locks a schedule that is due, unless another process has; its time, and the clock's. */
export const takeDue = own(`select extract(epoch from next_at) * 1000, extract(epoch from clock_timestamp()) * 1000
  from plimsoll.job_schedules where name = $1 and definition = $2 and next_at <= clock_timestamp() for update skip locked`)
/** Moves a schedule on. */
export const moveOn = own(
  `update plimsoll.job_schedules set next_at = ${time('$2')}, last_at = coalesce(${time('$3')}, last_at) where name = $1`,
)
