import { createStatement, type Statement } from '../../postgres/index.ts'

/** What our own statements write is no effect of anybody's. */
const own = (text: string): Statement => createStatement(text, { tracked: true })
const ms = (value: string): string => `${value} * interval '1 millisecond'`
const epoch = (column: string): string => `extract(epoch from ${column}) * 1000`

/**
 * Whoever moves workflows on shares them; whoever cancels or retries one has it alone. A lock of the server's memory: a row would be
 * written for each. In one order, so that two do not wait for each other.
 */
export const shareFlows = own(
  `select pg_advisory_xact_lock_shared(key) from (select distinct hashtextextended(id, 7056209308) as key from unnest($1::text[]) id order by 1) keys`,
)
/** See {@link shareFlows}. */
export const lockFlow = own('select pg_advisory_xact_lock(hashtextextended($1, 7056209308))')

/** Stores a workflow. */
export const insertFlow = own(`insert into plimsoll.job_flows (id, state, tenant, owner, keep_ms, keep_failed_ms)
  values ($1, 'running', $2, $3, $4, $5)`)
/** Stores steps of a workflow, of which some begin. */
export const insertSteps =
  own(`insert into plimsoll.job_steps (flow, step, kind, inside, parent, position, state, job, name, version, queue,
    priority, limit_key, given, input, begun_at)
  select $1, step, kind, inside, parent, position, case when begins then 'running' else 'blocked' end, job, name, version, queue, priority,
    limit_key, given, input, case when begins then clock_timestamp() end
  from unnest($2::int[], $3::text[], $4::text[], $5::int[], $6::int[], $7::boolean[], $8::uuid[], $9::text[], $10::int[], $11::text[],
    $12::smallint[], $13::text[], $14::boolean[], $15::text[])
    as given(step, kind, inside, parent, position, begins, job, name, version, queue, priority, limit_key, given, input)`)

/** What is known of a step that ends: where it is, and what it gives. */
const ended = 'steps.flow, steps.step, steps.inside, steps.parent, steps.position, steps.output'

/**
 * Stores what came of jobs: of each the first word that it is done. A job that is not the step's any more, since the workflow was
 * retried with another one, has nothing to say, and neither has one whose workflow was cancelled.
 */
export const storeOutcomes =
  own(`update plimsoll.job_steps steps set state = run.state, output = run.output, error = run.error, attempts = run.attempts,
    ended_at = clock_timestamp(), expires_at = case when run.state <> 'done' then clock_timestamp() + ${ms('flows.keep_failed_ms')} end
  from unnest($1::uuid[], $2::int[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::int[])
      as run(flow, step, job, state, output, error, attempts)
    join plimsoll.job_flows flows on flows.id = run.flow and flows.state = 'running'
  where steps.flow = run.flow and steps.step = run.step and steps.job = run.job and steps.state in ('running', 'failed', 'cancelled')
  returning ${ended}, steps.state, flows.watched`)
/** Where steps are: also of those that were stored before. */
export const findPlaces = own(`select ${ended}, steps.state from plimsoll.job_steps steps
  join unnest($1::uuid[], $2::int[]) as wanted(flow, step) on steps.flow = wanted.flow and steps.step = wanted.step`)

/** What has to be known to begin a step. */
const begin = `steps.flow, steps.step, steps.kind, steps.inside, steps.parent, steps.position, steps.job, steps.name, steps.version, steps.queue,
  steps.priority, steps.limit_key, steps.given, steps.input, flows.tenant, flows.owner`
/** The steps at positions of chains. */
export const findNext =
  own(`select ${begin} from unnest($1::uuid[], $2::int[], $3::int[]) as wanted(flow, parent, position)
  join plimsoll.job_steps steps on steps.flow = wanted.flow and steps.parent = wanted.parent and steps.position = wanted.position
  join plimsoll.job_flows flows on flows.id = steps.flow`)
/** What is in a chain or a group, in order, from a position on. */
export const findInside =
  own(`select ${begin} from plimsoll.job_steps steps join plimsoll.job_flows flows on flows.id = steps.flow
  where steps.flow = $1 and steps.parent = $2 and steps.position >= $3 order by steps.position limit $4`)
/**
 * What steps of a workflow are given by what ended before them, or before what they are in, and how many bytes that has. More than may
 * be given is not read.
 */
export const findGiven = own(`with recursive above as (
    select step as wanted, flow, inside, parent, position from plimsoll.job_steps where flow = $1 and step = any($2::int[])
    union all
    select above.wanted, outer_step.flow, outer_step.inside, outer_step.parent, outer_step.position from above
      join plimsoll.job_steps outer_step on outer_step.flow = above.flow and outer_step.step = above.parent
    where above.inside = 'group' or above.position = 0)
  select above.wanted, case when octet_length(before.output) <= $3 then before.output end, octet_length(before.output) from above
    join plimsoll.job_steps before
      on before.flow = above.flow and before.parent = above.parent and before.position = above.position - 1
  where above.inside = 'chain'`)
/** Begins steps. */
export const beginSteps =
  own(`update plimsoll.job_steps steps set state = 'running', job = run.job, input = coalesce(steps.input, run.input),
    begun_at = clock_timestamp(), ended_at = null, expires_at = null, error = null
  from unnest($1::uuid[], $2::int[], $3::uuid[], $4::text[]) as run(flow, step, job, input)
  where steps.flow = run.flow and steps.step = run.step`)
/** A step that cannot begin. */
export const failStep =
  own(`update plimsoll.job_steps steps set state = 'failed', error = $3, ended_at = clock_timestamp(),
    expires_at = clock_timestamp() + ${ms('flows.keep_failed_ms')}
  from plimsoll.job_flows flows where flows.id = $1 and steps.flow = $1 and steps.step = $2 returning flows.watched`)
/** Chains that have come to their end, with what their last step has given. */
export const endChains =
  own(`update plimsoll.job_steps steps set state = 'done', output = run.output, ended_at = clock_timestamp()
  from unnest($1::uuid[], $2::int[], $3::text[]) as run(flow, step, output)
  where steps.flow = run.flow and steps.step = run.step and steps.state = 'running' returning ${ended}`)
/** Groups of which nothing is open. */
export const findEndedGroups =
  own(`select steps.flow, steps.step from unnest($1::uuid[], $2::int[]) as wanted(flow, step)
    join plimsoll.job_steps steps on steps.flow = wanted.flow and steps.step = wanted.step
  where steps.state = 'running' and not exists (
    select from plimsoll.job_steps member where member.flow = wanted.flow and member.parent = wanted.step and member.state <> 'done')`)
/** What a group comes to has so many bytes at most: more is no text that this process could read, and would be asked for again and again. */
export const mostGroupBytes: number = 100 * 1024 * 1024
/** Groups of which nothing is open, with what all of it has given; they fail when that is too much. */
export const endGroups =
  own(`update plimsoll.job_steps steps set state = case when fits then 'done' else 'failed' end, ended_at = clock_timestamp(),
    output = case when fits then (
      select '[' || coalesce(string_agg(coalesce(output, 'null'), ',' order by position), '') || ']' from plimsoll.job_steps member
      where member.flow = steps.flow and member.parent = steps.step) end,
    error = case when not fits then $3 end,
    expires_at = case when not fits then clock_timestamp() + ${ms('flows.keep_failed_ms')} end
  from unnest($1::uuid[], $2::int[]) as run(flow, step) join plimsoll.job_flows flows on flows.id = run.flow and flows.state = 'running'
    cross join lateral (select coalesce(sum(octet_length(output)), 0) <= ${mostGroupBytes} as fits from plimsoll.job_steps member
      where member.flow = run.flow and member.parent = run.step) size
  where steps.flow = run.flow and steps.step = run.step and steps.state = 'running' and not exists (
    select from plimsoll.job_steps member where member.flow = run.flow and member.parent = run.step and member.state <> 'done')
  returning ${ended}, steps.state, flows.watched`)
/** Workflows that have come to their end. */
export const endFlows =
  own(`update plimsoll.job_flows flows set state = 'done', output = run.output, ended_at = clock_timestamp(),
    expires_at = clock_timestamp() + ${ms('keep_ms')}
  from unnest($1::uuid[], $2::text[]) as run(id, output) where flows.id = run.id and flows.state = 'running'
  returning flows.id, watched`)

/** Ends a workflow. */
export const cancelFlow = own(`update plimsoll.job_flows set state = 'cancelled', ended_at = clock_timestamp(),
    expires_at = clock_timestamp() + ${ms('keep_ms')}
  where id = $1 and state = 'running' returning watched`)
/** Ends the jobs of a workflow. */
export const cancelSteps = own(`update plimsoll.job_steps set state = 'cancelled', ended_at = clock_timestamp()
  where flow = $1 and kind = 'job' and state = 'running' returning job`)
/** A workflow that was cancelled goes on. */
export const reopenFlow = own(`update plimsoll.job_flows set state = 'running', ended_at = null, expires_at = null
  where id = $1 and state in ('running', 'cancelled') returning state`)
/** Jobs of a workflow that have failed or were cancelled. */
export const findStopped =
  own(`select ${begin}, steps.state from plimsoll.job_steps steps join plimsoll.job_flows flows on flows.id = steps.flow
  where steps.flow = $1 and steps.kind = 'job' and steps.state in ('failed', 'cancelled') and steps.step > $2
  order by steps.step limit 1000`)
/** Steps whose jobs were put back to their queues. */
export const resumeSteps = own(`update plimsoll.job_steps set state = 'running', ended_at = null, expires_at = null
  where flow = $1 and step = any($2::int[])`)
/** The groups of a workflow that have not ended, though nothing of them is open. */
export const findFull =
  own(`select steps.flow, steps.step from plimsoll.job_steps steps where steps.flow = $1 and steps.kind = 'group' and steps.state = 'running'
  and not exists (
    select from plimsoll.job_steps member where member.flow = steps.flow and member.parent = steps.step and member.state <> 'done')`)

/** One workflow. */
export const findFlow = own(`select id, state, output, ${epoch('created_at')}, ${epoch('ended_at')},
  exists (select from plimsoll.job_steps where flow = id and state in ('failed', 'cancelled')) from plimsoll.job_flows where id = $1`)
/** Has the end of a workflow announced. */
export const watchFlow = own('update plimsoll.job_flows set watched = true where id = $1 and watched is null')
/** How many jobs of a workflow there are. */
export const countSteps = own(
  `select state, count(*) from plimsoll.job_steps where flow = $1 and kind = 'job' group by state`,
)
const shown = 'step, name, state, job, attempts, error'
/** The jobs of a workflow. */
export const listSteps = own(
  `select ${shown} from plimsoll.job_steps where flow = $1 and kind = 'job' order by step limit $2`,
)
/** Jobs of a workflow that have not come to a good end. */
export const listStopped = own(`select ${shown} from plimsoll.job_steps
  where flow = $1 and state in ('failed', 'cancelled') order by ended_at limit 100`)

/** Jobs that have been under way for a while, from a step on. */
export const findLong = own(`select ${begin} from plimsoll.job_steps steps
    join plimsoll.job_flows flows on flows.id = steps.flow and flows.state = 'running'
  where steps.state = 'running' and (steps.flow, steps.step) > ($1::uuid, $2::int) and steps.kind = 'job'
    and steps.begun_at < clock_timestamp() - ${ms('$3::float8')}
  order by steps.flow, steps.step limit 200`)
/** Groups that should have ended. */
export const findForgotten = own(`select steps.flow, steps.step from plimsoll.job_steps steps
    join plimsoll.job_flows flows on flows.id = steps.flow and flows.state = 'running'
  where steps.state = 'running' and steps.kind = 'group' and not exists (
    select from plimsoll.job_steps member where member.flow = steps.flow and member.parent = steps.step and member.state <> 'done')
  limit 100`)
/** Forgets workflows whose time to be kept is over, and those that failed and nobody has gone on with. */
export const removeExpired = own(`with gone as (
    delete from plimsoll.job_flows where id = any(array(
      select id from (
        select id, expires_at from plimsoll.job_flows where expires_at <= clock_timestamp()
        union all
        select flow, min(expires_at) from plimsoll.job_steps stopped where expires_at <= clock_timestamp() and not exists (
          select from plimsoll.job_steps other where other.flow = stopped.flow and other.kind = 'job' and other.state = 'running')
        group by flow) over order by expires_at limit 10)) returning id)
  delete from plimsoll.job_steps where flow in (select id from gone)`)
