import { createStatement, type Postgres, type Statement } from '../../postgres/index.ts'
import { ensureTables } from '../ensure-tables.ts'

/** What our own statements write is no effect of anybody's. */
const own = (text: string): Statement => createStatement(text, { tracked: true })

/** `definition` is what the process that has started last says of the schedule: only those that agree with it enqueue. */
const script = `
create schema if not exists plimsoll;
create table if not exists plimsoll.job_schedules (
  name text primary key,
  definition text not null,
  timing text not null,
  next_at timestamptz,
  last_at timestamptz,
  defined_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50)`

/**
 * Makes the table of the schedules when it is missing.
 *
 * @throws PLIMSOLL_JOBS_UNAVAILABLE when the role may not make it
 */
export async function ensureScheduleTable(postgres: Postgres): Promise<void> {
  await ensureTables(postgres, { script, last: 'job_schedules', lock: 7_056_209_306 })
}

const ours = '(name, definition) in (select * from unnest($1::text[], $2::text[]))'
const time = (value: string): string => `to_timestamp(${value}::float8 / 1000)`

/** The clock that counts, in milliseconds. */
export const readClock = own('select extract(epoch from clock_timestamp()) * 1000')
/** Forgets schedules that no process has known for a long time. */
export const removeStale = own(
  `delete from plimsoll.job_schedules where next_at < clock_timestamp() - interval '30 days'`,
)
/** Stores a schedule that is new. */
export const storeSchedule = own(`insert into plimsoll.job_schedules (name, definition, timing, next_at)
  values ($1, $2, $3, ${time('$4')}) on conflict do nothing`)
/**
 * Says what a schedule is from now on. Other times begin anew, everything else goes on. One that is the same is not touched: whoever
 * starts does not wait for who is about to enqueue.
 */
export const changeSchedule =
  own(`update plimsoll.job_schedules set definition = $2, timing = $3, defined_at = clock_timestamp(),
    next_at = case when timing = $3 then next_at else ${time('$4')} end
  where name = $1 and definition <> $2`)
/** Which of our schedules are due. */
export const findDue = own(
  `select name from plimsoll.job_schedules where next_at <= clock_timestamp() and ${ours} order by next_at`,
)
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
