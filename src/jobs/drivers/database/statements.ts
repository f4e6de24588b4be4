import { createStatement, type Statement } from '../../../postgres/index.ts'
import { longestMs, mostDeaths } from '../../contract.ts'

/** What our own statements write is no effect of anybody's. */
const own = (text: string): Statement => createStatement(text, { tracked: true })

/** What a lane is announced by. */
export const lane = 'lane, queue, priority, limit_key, seq'
const leased =
  'id, name, version, queue, tenant, input, attempts, deaths, owner, trace, step, lane, seq, limit_key, extract(epoch from created_at) * 1000, watched'
/** What a broker has been handed waits like any other job, to whoever asks. */
const state = `case state when 'handed' then 'waiting' else state end`
const record = `id, name, version, queue, tenant, ${state}, attempts, deaths, input, output, error, progress, owner, step,
  extract(epoch from created_at) * 1000, extract(epoch from started_at) * 1000, extract(epoch from ended_at) * 1000,
  extract(epoch from due_at) * 1000`
/** So many milliseconds. */
export const ms = (value: string): string => `${value} * interval '1 millisecond'`
/** A time that fits a timestamp, whatever somebody has come to. */
export const bounded = (value: string): string => ms(`least(${value}, ${longestMs})`)

/** The clock is read once for a job: it is due exactly its delay after it was created. */
const added = `select id, lane, case when due is null then 'waiting' else 'delayed' end, name, version, queue, priority, tenant,
    limit_key, unique_key, now + ${ms('unique_ms')}, unique_started,
    due, owner, trace, step, input, now
  from unnest($1::uuid[], $2::bigint[], $3::double precision[], $4::text[], $5::int[], $6::text[], $7::smallint[], $8::text[], $9::text[],
    $10::text[], $11::double precision[], $12::boolean[], $13::text[], $14::text[], $15::text[], $16::text[],
    $17::double precision[])
    as job(id, lane, delay, name, version, queue, priority, tenant, limit_key, unique_key, unique_ms, unique_started, owner, trace, step, input, at)
  cross join (select clock_timestamp() as now) as clock
  cross join lateral (select case when at is not null then case when to_timestamp(at / 1000) > now then to_timestamp(at / 1000) end
    when delay > 0 then now + ${bounded('delay')} end as due) as time`
const insert = `insert into plimsoll.jobs (id, lane, state, name, version, queue, priority, tenant, limit_key, unique_key, unique_until,
  unique_started, due_at, owner, trace, step, input, created_at) ${added}`
/** What is left of a time is told, not a time: the clocks of processes differ. */
const dueIn = 'extract(epoch from due_at - clock_timestamp()) * 1000'

/** Stores jobs, but for those whose id or key is there. */
export const insertJobs = own(`${insert} on conflict do nothing returning id, seq, ${dueIn}`)
/** A job that is there and has not begun takes over what is new. */
export const replaceJobs =
  own(`${insert} on conflict (unique_key) where unique_key is not null do update set input = excluded.input, version = excluded.version,
    state = excluded.state, due_at = excluded.due_at, trace = excluded.trace
  where jobs.state in ('waiting', 'delayed') returning id, seq, ${dueIn}, unique_key`)
/** Frees keys whose time is over. */
export const releaseKeys = own(
  `update plimsoll.jobs set unique_key = null where unique_key = any($1::text[]) and unique_until <= clock_timestamp()`,
)
/** Who holds keys, or ids. */
export const findHolders = own(
  `select id, unique_key from plimsoll.jobs where unique_key = any($1::text[]) or id = any($2::uuid[])`,
)

/**
 * A job does not begin while one runs that was cancelled with its key. Whoever sees it sees that one too, since it was stored after the
 * cancellation; whoever sees that one for too long is told again (`followJobs`). The keys, which are few, are read once, when a job with a key
 * is met: were each looked up, PostgreSQL would take a claim from a million jobs for so much work that it compiles it first (its JIT).
 */
const unfollowed = `(unique_key is null or unique_key not in (
        select ending_key from plimsoll.jobs where state = 'active' and ending_key is not null))`

/**
 * Takes the first jobs of lanes. `any(array(…))` is worked out once, before the update begins. A claim that a crash of the server undoes
 * leaves a job that is ready, which is run again as that of any worker that has died: it need not be on disk before the run begins.
 */
export const claimJobs =
  own(`update plimsoll.jobs set state = 'active', worker = $4, attempts = attempts + 1, started_at = clock_timestamp(),
    unique_key = case when unique_started then null else unique_key end
  where id = any(array(
    select job.id from unnest($1::bigint[], $2::bigint[], $3::int[]) as ask(lane, mark, most)
    cross join lateral (
      select id from plimsoll.jobs where state = 'waiting' and lane = ask.lane and seq >= ask.mark and ${unfollowed}
      order by seq limit ask.most for update skip locked) job))
    and (select set_config('synchronous_commit', 'off', true)) is not null
  returning ${leased}`)

/**
 * The first job of every lane: of the lanes $1 from the marks $2 on, and of all between them from the beginning, where each step skips
 * what is left of a lane.
 */
export const findLanes =
  own(`with recursive known as (select * from unnest($1::bigint[], $2::bigint[]) as known(lane, mark)),
  gaps as (select lane as above, lead(lane, 1, 9223372036854775807) over (order by lane) as below
    from (select -9223372036854775808 as lane union all select lane from known) lanes),
  found as (
    select next.*, below from gaps cross join lateral (
      select ${lane} from plimsoll.jobs where state = 'waiting' and lane > above and lane < below order by lane, seq limit 1) next
    union all
    select next.*, below from found cross join lateral (
      select ${lane} from plimsoll.jobs where state = 'waiting' and lane > found.lane and lane < below order by lane, seq limit 1) next)
  select ${lane} from found
  union all
  select next.* from known cross join lateral (
    select ${lane} from plimsoll.jobs where state = 'waiting' and lane = known.lane and seq >= mark order by lane, seq limit 1) next`)

/** What comes later than its time is told of by whoever is late to commit it, but for so long. */
const lateMs = 2000
/**
 * From where on delayed jobs are looked for: a little before the second $1, before which nothing is left but dead rows of what was due then.
 * Should the clock go back, from there. All times are read once, as a sub-select: of a bound that may change from row to row no index can
 * make use.
 */
const dueFrom = `(select least(coalesce(to_timestamp($1::double precision), '-infinity'), clock_timestamp()) - ${ms(String(lateMs))})`
/** Makes jobs ready that are due. */
export const promoteJobs =
  own(`update plimsoll.jobs set state = 'waiting', seq = nextval('plimsoll.jobs_seq'), due_at = null
  where id = any(array(
    select id from plimsoll.jobs where state = 'delayed' and due_at <= (select clock_timestamp()) and due_at >= ${dueFrom}
    order by due_at limit 1000 for update skip locked))
  returning ${lane}`)
/** In how many milliseconds the next job is due, and the second before which none is. */
export const nextDue = own(
  `select extract(epoch from due - now) * 1000, extract(epoch from least(due, now)) from (
    select clock_timestamp() as now, (select due_at from plimsoll.jobs where state = 'delayed' and due_at >= ${dueFrom}
      order by due_at limit 1) as due) next`,
)

/** A row of what runs, found by its id: the index of what is active is full of what was, so it is kept from being used. */
const active = `jobs.worker + 0 = $1 and jobs.state || '' = 'active'`
/**
 * The run still has its lease, and is the one that was begun at this `seq`: an outcome whose answer was lost is said again, perhaps when
 * the next run has begun, which a run that was handed back leaves the number of its attempt. The last condition is always true: by it
 * PostgreSQL takes the runs for few, and looks for each by its id instead of reading all jobs.
 */
const held = `${active} and jobs.seq = run.begun and run.begun = abs(run.begun)`
const expiry = (keep: string): string => `greatest(clock_timestamp() + ${bounded(keep)}, unique_until)`
const heldKey = 'case when unique_until is null then null else unique_key end'
/** How long a job is kept that was cancelled before a run of it could say so. */
const cancelledDay = `greatest(clock_timestamp() + interval '1 day', unique_until)`

/** Says of runs that they are done. */
export const finishJobs =
  own(`update plimsoll.jobs set state = 'done', worker = null, output = run.output, error = null,
    progress = coalesce(run.progress, jobs.progress), ended_at = clock_timestamp(), expires_at = ${expiry('run.keep')}, unique_key = ${heldKey}
  from unnest($2::uuid[], $3::bigint[], $4::text[], $5::double precision[], $6::text[]) as run(id, begun, output, keep, progress)
  where jobs.id = run.id and ${held}
  returning jobs.id, watched, ending_key`)
/**
 * Outcomes of all kinds. A run that was handed back, or is parked, was no attempt. What was cancelled meanwhile does not come again,
 * whatever has come of this run. A job that nobody has seen die is no suspect when it has come through a run.
 */
export const settleJobs =
  own(`update plimsoll.jobs set state = case when cancel and not run.ended then 'cancelled' else run.state end,
    worker = null, cancel = null, attempts = attempts - run.uncounted,
    lane = case when deaths = 0 and run.uncounted = 0 then lane & ~1::bigint else lane end, error = coalesce(run.error, jobs.error),
    progress = coalesce(run.progress, jobs.progress),
    seq = case when run.state = 'waiting' then nextval('plimsoll.jobs_seq') else seq end,
    due_at = case when run.state = 'delayed' and cancel is not true then clock_timestamp() + ${bounded('run.time')} end,
    ended_at = case when run.ended or cancel then clock_timestamp() end,
    expires_at = case when run.ended then ${expiry('run.time')} when cancel then ${cancelledDay} end,
    unique_key = case when run.ended or cancel then ${heldKey} else unique_key end
  from unnest($2::uuid[], $3::bigint[], $4::text[], $5::int[], $6::text[], $7::boolean[], $8::double precision[],
    $9::text[]) as run(id, begun, state, uncounted, error, ended, time, progress)
  where jobs.id = run.id and ${held}
  returning jobs.id, watched, jobs.state, ending_key, ${lane}`)
/** Has jobs looked at that have waited for the end of a run with their keys. */
export const followJobs = own(`update plimsoll.jobs set seq = nextval('plimsoll.jobs_seq')
  where unique_key = any($1::text[]) and state = 'waiting' returning ${lane}`)
/** Stores how far runs are. */
export const storeProgress = own(`update plimsoll.jobs set progress = run.progress
  from unnest($2::uuid[], $3::text[]) as run(id, progress)
  where jobs.id = run.id and ${active} returning jobs.id, watched`)

/**
 * The leases that could not be renewed, whoever has them: while nobody reaches the server, nobody can give a heartbeat, and of all leases not
 * even the newest one has half of its time left. Whoever is the first to come again has all others given time for three heartbeats, before it
 * looks whose leases are over: that is more than they take to connect again. In the order of the ids, since all may come at once.
 */
const unrenewed = (lease: string): string => `alive_until > '-infinity' and not exists (
    select from plimsoll.job_workers where alive_until > clock_timestamp() + ${ms(`${lease} / 2`)})`
const prolonged = (lease: string): string => `greatest(alive_until, clock_timestamp() + ${ms(`${lease} * 3 / 4`)})`

/** Gives a worker process its lease. */
export const registerWorker = own(`with others as (
    update plimsoll.job_workers set alive_until = ${prolonged('$3::double precision')}
    where id = any(array(
      select id from plimsoll.job_workers where ${unrenewed('$3::double precision')} order by id for update)))
  insert into plimsoll.job_workers (host, pid, alive_until)
  values ($1, $2, clock_timestamp() + ${ms('$3::double precision')}) returning id`)
/** Renews the lease of a worker process; no row when it is lost. */
export const beat = own(`with renewed as (
    update plimsoll.job_workers set alive_until = case when id = $1 then clock_timestamp() + ${ms('$2::double precision')}
      else ${prolonged('$2::double precision')} end
    where id = any(array(
      select id from plimsoll.job_workers where id = $1 or (${unrenewed('$2::double precision')}) order by id for update))
    returning id)
  select id from renewed where id = $1`)
/** What a worker process runs, by the tables. */
export const activeOf = own(`select id, seq, cancel from plimsoll.jobs where worker = $1 and state = 'active'`)
/** Those of a worker's runs that were cancelled. */
export const cancelledOf = own(
  `select id from plimsoll.jobs where id = any(array(select unnest($2::uuid[]))) and ${active} and cancel`,
)
/** A job without deaths in an odd lane may have had one: it is counted when there is another. */
const died = 'deaths + case when deaths = 0 and lane & 1 = 1 then 2 else 1 end'
/** Who has lost a worker goes on in the lane of suspects, who has lost two in that of prime ones. */
const apart = `lane | case when ${died} < ${mostDeaths - 1} then 1 else 3 end`
/**
 * Takes the leases of processes that give no heartbeat any more; their jobs go on in lanes of suspects. While the server was down, however
 * shortly, nobody could give one. A claim that was under way when its process lost its lease leaves jobs of a process that is not there. They are looked
 * for between the ids of those that are: what those have run is full of dead rows.
 */
export const recoverJobs = own(`with gone as (
    delete from plimsoll.job_workers where id = any(array(
      select id from plimsoll.job_workers where alive_until = '-infinity' or (alive_until < clock_timestamp()
        and pg_postmaster_start_time() < clock_timestamp() - ${ms('$3::double precision')})
      for update skip locked)) returning id),
  gaps as (select id as above, lead(id, 1, 9223372036854775807) over (order by id) as below from (
    select -1 as id union all select id from plimsoll.job_workers where id not in (select id from gone)) alive)
  update plimsoll.jobs set worker = null, attempts = attempts - 1, deaths = ${died}, lane = ${apart},
    state = case when cancel then 'cancelled' when ${died} >= $1 then 'quarantined' else 'waiting' end,
    seq = nextval('plimsoll.jobs_seq'), ended_at = case when cancel or ${died} >= $1 then clock_timestamp() end,
    expires_at = case when cancel then ${cancelledDay} end,
    unique_key = case when cancel or ${died} >= $1 then ${heldKey} else unique_key end,
    error = case when ${died} >= $1 then $2 else error end
  where id = any(array(select job.id from gaps cross join lateral (
    select id from plimsoll.jobs where state = 'active' and worker > above and worker < below order by worker limit 10000
    for update skip locked) job))
  returning id, state, name, watched, ending_key, ${lane}`)
/** All leases at once: of an embedded database, which only one process uses. */
export const endWorkers = own(`update plimsoll.job_workers set alive_until = '-infinity'`)
/** Ends the lease of a worker process. */
export const removeWorker = own(`delete from plimsoll.job_workers where id = $1`)
/** {@link removeExpired} forgets so many at once. */
export const mostExpired = 5000
/** Forgets jobs whose time to be kept is over. */
export const removeExpired = own(`delete from plimsoll.jobs where id = any(array(
    select id from plimsoll.jobs where expires_at <= clock_timestamp() order by expires_at limit ${mostExpired} for update skip locked))`)

/** How many jobs of a limit run. */
export const countActive = own(`select count(*) from plimsoll.jobs where limit_key = $1 and state = 'active'`)
/** One at a time: what a limit allows, and what is taken under it. */
export const lockLimit = own(`select pg_advisory_xact_lock(hashtextextended($1, 7056209305))`)
/** A bucket that holds $2 tokens and gets $3 of them in a second. */
export const refillRate = own(`insert into plimsoll.job_rates as rate values ($1, $2, clock_timestamp())
  on conflict (limit_key) do update set at = clock_timestamp(),
    tokens = least($2, rate.tokens + extract(epoch from clock_timestamp() - rate.at) * $3)
  returning tokens`)
/** Takes tokens out of a bucket. */
export const spendRate = own(`update plimsoll.job_rates set tokens = tokens - $2 where limit_key = $1`)

const open = `state in ('waiting', 'handed', 'delayed', 'active', 'parked')`
/** What is not to be kept any more is forgotten, also before it is cleared away. */
const kept = '(expires_at is null or expires_at > clock_timestamp())'
/** One job. */
export const findJob = own(`select ${record} from plimsoll.jobs where id = $1 and ${kept}`)
/** Has its end announced; no row when it has ended. */
export const watchJob = own(`update plimsoll.jobs set watched = true where id = $1 and ${open} returning id`)
/** A row when it has not ended. */
export const isOpen = own(`select id from plimsoll.jobs where id = $1 and ${open}`)
/**
 * Ends jobs that wait, and marks those that run; in the order of their ids, in which outcomes of runs are said too. A key that is held until
 * an end is free at once.
 */
export const cancelJobs = own(`update plimsoll.jobs set
    state = case when state = 'active' then state else 'cancelled' end, cancel = true, due_at = null,
    ended_at = case when state = 'active' then null else clock_timestamp() end,
    expires_at = case when state = 'active' then null else ${cancelledDay} end,
    unique_key = ${heldKey}, ending_key = case when state = 'active' and unique_until is null then unique_key end
  where id = any(array(select id from plimsoll.jobs where id = any($1::uuid[])
    and state in ('waiting', 'delayed', 'active', 'parked', 'quarantined') and cancel is not true order by id for update))
  returning id, state, watched`)

const filter = `($1::uuid[] is null or id = any($1)) and state = any($2::text[]) and ($3::text[] is null or name = any($3))
  and ($4::text is null or queue = $4) and ($5::text is null or tenant = $5)`
/** Jobs by a filter, the newest first. */
export const listJobs = own(
  `select ${record} from plimsoll.jobs where ${filter} and ${kept} and ($6::uuid is null or id < $6) order by id desc limit $7`,
)
/** Puts jobs behind an id back to their lanes, with all their attempts: those that have ended without being done. */
export const redriveJobs =
  own(`update plimsoll.jobs set state = 'waiting', seq = nextval('plimsoll.jobs_seq'), attempts = 0, deaths = 0,
    lane = lane & ~3::bigint, ended_at = null, expires_at = null, cancel = null, ending_key = null, due_at = null, progress = null
  where id = any(array(select id from plimsoll.jobs where ${filter} and ${kept}
    and state in ('failed', 'parked', 'quarantined', 'cancelled') and ($6::uuid is null or id > $6)
    order by id limit 1000 for update skip locked))
  returning ${lane}, id`)
/** Puts parked jobs of queues back to their lanes: those of these names, up to a version each. The state is a literal, for its index. */
export const unparkJobs = own(`update plimsoll.jobs set state = 'waiting', seq = nextval('plimsoll.jobs_seq')
  where id = any(array(
    select id from plimsoll.jobs join unnest($2::text[], $3::int[]) as known(job, most) on name = job and version <= most
    where state = 'parked' and queue = any($1::text[]) order by seq limit 1000 for update of jobs skip locked))
  returning ${lane}`)
/** How many jobs there are. */
export const countJobs = own(`select queue, ${state}, count(*) from plimsoll.jobs group by 1, 2 order by 1, 2`)
