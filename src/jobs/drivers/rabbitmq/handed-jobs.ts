import { createStatement, readTexts, type Executor, type Statement } from '../../../postgres/index.ts'
import type { NewJob } from '../../contract.ts'
import { bounded, lane, ms } from '../database/statements.ts'
import { laneId } from '../database/lanes.ts'
import { toNotice, type LaneNotice } from '../database/job-rows.ts'

/** What our own statements write is no effect of anybody's. */
const own = (text: string): Statement => createStatement(text, { tracked: true })

const insertInto = `insert into plimsoll.jobs (id, lane, state, name, version, queue, priority, tenant, owner, trace, step, input)
  select id, lane, 'handed', name, version, queue, 0, '', owner, trace, step, input
  from unnest($1::uuid[], $2::bigint[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
    as job(id, lane, name, version, queue, owner, trace, step, input)`
const insert = own(`${insertInto} on conflict do nothing returning id`)
/** What is handed on again keeps the memory of it: whoever does so has not heard that it is done. */
const relayed = (pack: string): string => `insert into plimsoll.job_relays (id) values (${pack})
  on conflict (id) do update set at = excluded.at, again = true returning again`
const noteRelay = own(relayed('$1::uuid'))
const insertRelayed = own(`with noted as (${relayed('$10::uuid')})
  ${insertInto} where not (select again from noted) on conflict do nothing returning id`)
const cleanRelays = own(`delete from plimsoll.job_relays where at < clock_timestamp() - interval '1 day'`)

/** A run goes into the books, as one under the lease of its worker. What an answer was lost to is said again. */
const adopt = own(`update plimsoll.jobs set state = 'active', worker = $1, attempts = 1,
    started_at = greatest(created_at, clock_timestamp() - ${ms('run.ms')})
  from unnest($2::uuid[], $3::double precision[]) as run(id, ms)
  where jobs.id = run.id and (state = 'handed' or (state = 'active' and worker + 0 = $1 and attempts = 1))
  returning jobs.id, lane, seq, watched`)

/**
 * Says of runs that never were in the books that they are done. The worker stays, so that what an answer was lost to can be said again.
 * What is the same for all of them is asked for once, and the answer names those that are missing or watched: it is one row.
 */
const finish = own(`with finished as (
  update plimsoll.jobs set state = 'done', worker = $1, cancel = null, attempts = 1, output = run.output,
    started_at = greatest(created_at, statement_timestamp() - ${ms('run.ms')}), ended_at = statement_timestamp(),
    expires_at = (select statement_timestamp() + ${bounded('$4::double precision')})
  from unnest($2::uuid[], $3::text[], $5::double precision[]) as run(id, output, ms)
  where jobs.id = run.id and (state = 'handed' or (state = 'done' and worker = $1))
  returning jobs.id, watched)
  select case when count(*) < cardinality($2::uuid[]) then coalesce(array_to_string(array_agg(id), ','), '') end,
    array_to_string(array_agg(id) filter (where watched), ',') from finished`)

const back = (laneOf: string): string =>
  `update plimsoll.jobs set state = case when cancel then 'cancelled' else 'waiting' end, seq = nextval('plimsoll.jobs_seq'),
    lane = ${laneOf}, ended_at = case when cancel then clock_timestamp() end,
    expires_at = case when cancel then clock_timestamp() + interval '1 day' end
  where id = any($1::uuid[]) and state = 'handed' returning ${lane}, id`

const putBack = own(back('lane'))
const putApart = own(back('lane | 1'))
const recalled = (laneOf: string): string => `with back as (${back(laneOf)}),
  noted as (insert into plimsoll.job_recalls (id) select id from back on conflict do nothing)
  select * from back`
const recall = own(recalled('lane'))
const recallApart = own(recalled('lane | 1'))
const mark = own(`update plimsoll.jobs set cancel = true where id = any($1::uuid[]) and state = 'handed'
  and cancel is not true returning id`)
const cancel = own(`with gone as (
    update plimsoll.jobs set state = 'cancelled', cancel = true, ended_at = clock_timestamp(),
      expires_at = clock_timestamp() + interval '1 day'
    where id = any($1::uuid[]) and state = 'handed' returning id, watched),
  noted as (insert into plimsoll.job_recalls (id) select id from gone on conflict do nothing)
  select id, watched from gone`)
const oldInQueue = own(`select id from plimsoll.jobs where state = 'handed' and queue = $1
  and created_at < clock_timestamp() - ${ms('$2::double precision')} order by id limit 1000`)
const handedQueues = own(`select queue from unnest($1::text[]) as asked(queue)
  where exists (select from plimsoll.jobs where state = 'handed' and jobs.queue = asked.queue)`)
const countHanded = own(`select queue, count(*) from (
    select queue from plimsoll.jobs where state = 'handed' order by queue, id limit $1) bounded group by 1`)
const readHighestRecall = own('select id from plimsoll.job_recalls order by id desc limit 1')
const readRecalls = own('select id from plimsoll.job_recalls where id = any($1::uuid[])')
const forgetRecalls = own('delete from plimsoll.job_recalls where id = any($1::uuid[])')
const cleanRecalls = own(`delete from plimsoll.job_recalls where at < clock_timestamp() - interval '7 days'`)

/**
 * Stores jobs as handed to the broker. Resolves to the ids of those that were not there. `pack`: the id that a relay hands them on under;
 * when it has done so before, nothing is stored.
 */
export async function insertHanded(
  executor: Executor,
  jobs: readonly NewJob[],
  pack?: string,
): Promise<ReadonlySet<string>> {
  const rows = await readTexts(executor, pack === undefined ? insert : insertRelayed, [
    jobs.map(({ id }) => id),
    jobs.map((job) => laneId(job)),
    jobs.map(({ name }) => name),
    jobs.map(({ version }) => version),
    jobs.map(({ queue }) => queue),
    jobs.map(({ owner }) => owner ?? null),
    jobs.map(({ trace }) => trace ?? null),
    jobs.map(({ step }) => step ?? null),
    jobs.map(({ input }) => input),
    ...(pack === undefined ? [] : [pack]),
  ])
  return new Set(rows.map(([id]) => id!))
}

/** Notes that a relay hands on a pack. False when it has done so before, though its jobs may have been forgotten since. */
export async function noteRelayed(executor: Executor, pack: string): Promise<boolean> {
  const [[again]] = (await readTexts(executor, noteRelay, [pack])) as [string[]]
  return again === 'f'
}

/** A run that is in the books by now. */
export interface AdoptedRow {
  readonly laneId: string
  readonly seq: bigint
  readonly watched: boolean
}

/** Puts runs into the books, each with how long it has run. Those that are missing in the answer are not ours to run. */
export async function adoptRuns(
  executor: Executor,
  worker: string,
  runs: readonly { readonly id: string; readonly ranMs: number }[],
): Promise<ReadonlyMap<string, AdoptedRow>> {
  const rows = await readTexts(executor, adopt, [worker, runs.map(({ id }) => id), runs.map(({ ranMs }) => ranMs)])
  return new Map(
    rows.map(([id, laneOf, seq, watched]) => [id!, { laneId: laneOf!, seq: BigInt(seq!), watched: watched === 't' }]),
  )
}

/** What a run has come to that was not in the books. */
export interface FinishedRun {
  readonly id: string
  readonly output: string | undefined
  readonly ranMs: number
}

/** What became of {@link finishRuns}. */
export interface Finished {
  /** Those that count; undefined when all do. */
  readonly only: ReadonlySet<string> | undefined
  /** Those that count and that somebody watches. */
  readonly watched: readonly string[]
}

/** Stores what runs came to, all to be kept for the same time. */
export async function finishRuns(
  executor: Executor,
  { worker, keepMs }: { readonly worker: string; readonly keepMs: number },
  runs: readonly FinishedRun[],
): Promise<Finished> {
  const silent = runs.every(({ output }) => output === undefined)
  const [[only, watched]] = (await readTexts(executor, finish, [
    worker,
    // Neither needs to be quoted.
    `{${runs.map(({ id }) => id).join()}}`,
    silent ? null : runs.map(({ output }) => output ?? null),
    keepMs,
    `{${runs.map(({ ranMs }) => ranMs.toFixed(3)).join()}}`,
  ])) as [[only: string | null, watched: string | null]]
  return { only: only === null ? undefined : new Set(idsIn(only)), watched: idsIn(watched ?? '') }
}

function idsIn(text: string): readonly string[] {
  return text === '' ? [] : text.split(',')
}

/**
 * Has jobs wait in their lanes whose messages have come back to us. `suspect`: a worker may have died while it ran them, or had not come to
 * begin; nobody knows. They wait in the odd lanes, and one that dies there counts the death before, too.
 */
export async function returnJobs(
  executor: Executor,
  ids: readonly string[],
  suspect: boolean,
): Promise<readonly LaneNotice[]> {
  return (await readTexts(executor, suspect ? putApart : putBack, [ids])).map(toNotice)
}

/**
 * Has jobs wait in their lanes whose messages may still be somewhere: whoever gets one has to ask before running it. `suspect`: as with
 * {@link returnJobs}; default false.
 */
export async function recallJobs(
  executor: Executor,
  ids: readonly string[],
  suspect = false,
): Promise<readonly LaneNotice[]> {
  return (await readTexts(executor, suspect ? recallApart : recall, [ids])).map(toNotice)
}

/** Has those of the jobs end that the broker has, whatever comes of a run of theirs but that it is done. */
export async function markCancelled(executor: Executor, ids: readonly string[]): Promise<ReadonlySet<string>> {
  return new Set((await readTexts(executor, mark, [ids])).map(([id]) => id!))
}

/** Ends jobs that the broker has. Resolves to those that somebody watches. */
export async function cancelHanded(executor: Executor, ids: readonly string[]): Promise<readonly string[]> {
  const rows = await readTexts(executor, cancel, [ids])
  return rows.filter(([, watched]) => watched === 't').map(([id]) => id!)
}

/** The first thousand of what a queue has been handed for longer than that. */
export async function handedInQueue(
  executor: Executor,
  queue: string,
  olderThanMs: number,
): Promise<readonly string[]> {
  return (await readTexts(executor, oldInQueue, [queue, olderThanMs])).map(([id]) => id!)
}

/** Those of the queues that have been handed jobs which no worker has answered for. */
export async function queuesWithHanded(executor: Executor, queues: readonly string[]): Promise<ReadonlySet<string>> {
  return new Set((await readTexts(executor, handedQueues, [queues])).map(([queue]) => queue!))
}

/** How many jobs the broker has by queue, of so many at most. */
export async function countHandedJobs(executor: Executor, most: number): Promise<ReadonlyMap<string, number>> {
  return new Map((await readTexts(executor, countHanded, [most])).map(([queue, count]) => [queue!, Number(count)]))
}

/** The highest id of a message that is void; undefined when there is none. */
export async function highestRecall(executor: Executor): Promise<string | undefined> {
  return (await readTexts(executor, readHighestRecall, []))[0]?.[0] ?? undefined
}

/** Those of the ids whose messages are void. */
export async function recalledOf(executor: Executor, ids: readonly string[]): Promise<ReadonlySet<string>> {
  return new Set((await readTexts(executor, readRecalls, [ids])).map(([id]) => id!))
}

/** Their messages have come, and will not again. */
export async function forgetRecalled(executor: Executor, ids: readonly string[]): Promise<void> {
  await executor.execute(forgetRecalls, [ids])
}

/** Forgets those whose messages will not come any more. */
export async function cleanRecalled(executor: Executor): Promise<void> {
  await executor.execute(cleanRecalls, [])
}

/** Forgets the packs that no relay has handed on for a day. */
export async function cleanRelayed(executor: Executor): Promise<void> {
  await executor.execute(cleanRelays, [])
}
