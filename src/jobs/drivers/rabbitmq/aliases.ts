import { createStatement, readTexts, type Executor, type Statement } from '../../../postgres/index.ts'

/** What our own statements write is no effect of anybody's. */
const own = (text: string): Statement => createStatement(text, { tracked: true })

const note = own(`insert into plimsoll.job_aliases (id, job) select * from unnest($1::uuid[], $2::uuid[])
  on conflict (id) do update set job = excluded.job, at = excluded.at`)
/** An id that a job has is that job's. */
const read = own(`select id, job from plimsoll.job_aliases as alias where id = any($1::uuid[])
  and at > clock_timestamp() - interval '1 day' and not exists (select from plimsoll.jobs where jobs.id = alias.id)`)
const clean = own(`delete from plimsoll.job_aliases where at < clock_timestamp() - interval '1 day'`)

/** An id that was given for a job which was not stored, since another one holds its key. */
export interface Alias {
  readonly id: string
  /** The other one. */
  readonly job: string
}

/** Has ids stand for other jobs, for a day. */
export async function noteAliases(executor: Executor, aliases: readonly Alias[]): Promise<void> {
  if (aliases.length === 0) return
  await executor.execute(note, [aliases.map(({ id }) => id), aliases.map(({ job }) => job)])
}

/** The jobs that ids stand for, each of them once: their own, but for those that are aliases. */
export async function jobsOf(executor: Executor, ids: readonly string[]): Promise<readonly string[]> {
  const jobs = new Map((await readTexts(executor, read, [ids])).map(([id, job]) => [id!, job!]))
  return [...new Set(ids.map((id) => jobs.get(id) ?? id))]
}

/** Forgets the aliases whose day is over. */
export async function cleanAliases(executor: Executor): Promise<void> {
  await executor.execute(clean, [])
}
