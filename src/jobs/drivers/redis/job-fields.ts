import type { JobFailure, JobProgress, JobRecord, JobState, LeasedJob } from '../../contract.ts'
import type { RedisAnswer } from './redis-link.ts'

/** A job that was taken, with what is needed to settle it. */
export interface TakenJob {
  readonly job: LeasedJob
  readonly limit: string | undefined
  /** Counts the runs of a job, those too that were no attempts. */
  readonly epoch: number
  /** How far its run came, as JSON, when that is not stored yet. */
  readonly progress?: string | undefined
}

/** A job of the answer of `claimJobs`. */
export function toTaken(fields: readonly RedisAnswer[]): TakenJob {
  const [id, name, version, queue, tenant, input, attempt, deaths, owner, trace, step, createdAt, limit, epoch] =
    fields as readonly (string | null)[]
  const job = {
    id: id!,
    name: name!,
    version: Number(version),
    queue: queue!,
    tenant: tenant!,
    input: input!,
    attempt: Number(attempt),
    deaths: Number(deaths),
    owner: owner ?? undefined,
    trace: trace ?? undefined,
    step: step ?? undefined,
    createdAt: Number(createdAt),
  }
  return { job, limit: limit ?? undefined, epoch: Number(epoch) }
}

/** A job of the answer of `readJobs`; undefined when there is none. */
export function toRecord(answer: readonly string[]): JobRecord | undefined {
  if (answer.length === 0) return undefined
  const fields = new Map<string, string>()
  for (let at = 0; at < answer.length; at += 2) fields.set(answer[at]!, answer[at + 1]!)
  const state = fields.get('s') as JobState
  const text = (field: string): string => fields.get(field)!
  const time = (field: string): number | undefined =>
    fields.has(field) ? Math.floor(Number(fields.get(field))) : undefined
  const parsed = <T>(field: string): T | undefined => (fields.has(field) ? (JSON.parse(text(field)) as T) : undefined)
  return {
    id: text('id'),
    name: text('n'),
    version: Number(text('v')),
    queue: text('q'),
    tenant: text('t'),
    state,
    attempts: Number(text('a')),
    deaths: Number(text('d')),
    input: text('i'),
    output: fields.get('out'),
    error: state === 'done' ? undefined : parsed<JobFailure>('err'),
    progress: parsed<JobProgress>('pr'),
    owner: fields.get('o'),
    step: fields.get('st'),
    createdAt: time('c')!,
    startedAt: time('sa'),
    endedAt: time('ea'),
    dueAt: state === 'delayed' ? time('du') : undefined,
  }
}
