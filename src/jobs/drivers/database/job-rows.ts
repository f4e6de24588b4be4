import type { JobFailure, JobProgress, JobRecord, JobState, LeasedJob } from '../../contract.ts'
import type { Lane } from './lanes.ts'

type Texts = readonly (string | null)[]

/** A lane, and the `seq` of a job that was put into it. */
export interface LaneNotice {
  readonly lane: Lane
  readonly seq: bigint
}

/** A job that was taken, with where it stood. */
export interface ClaimedJob {
  readonly job: LeasedJob
  readonly laneId: string
  readonly seq: bigint
  readonly limit: string | undefined
  /** Somebody wants to be told what becomes of it. */
  readonly watched: boolean
}

/** What `lane` of the statements names. */
export function toNotice([id, queue, priority, limit, seq]: Texts): LaneNotice {
  return {
    lane: { id: id!, queue: queue!, priority: Number(priority), limit: limit ?? undefined },
    seq: BigInt(seq!),
  }
}

/** A row of `claimJobs`. */
export function toClaimed(texts: Texts): ClaimedJob {
  const [id, name, version, queue, tenant, input, attempts, deaths, owner, trace, step] = texts
  const [laneId, seq, limit, createdAt, watched] = texts.slice(11)
  const job = {
    id: id!,
    name: name!,
    version: Number(version),
    queue: queue!,
    tenant: tenant!,
    input: input!,
    attempt: Number(attempts),
    deaths: Number(deaths),
    owner: owner ?? undefined,
    trace: trace ?? undefined,
    step: step ?? undefined,
    createdAt: Number(createdAt),
  }
  return { job, laneId: laneId!, seq: BigInt(seq!), limit: limit ?? undefined, watched: watched === 't' }
}

/** A row of `findJob` and `listJobs`. */
export function toRecord(texts: Texts): JobRecord {
  const [id, name, version, queue, tenant, state, attempts, deaths, input, output, error, progress, owner] = texts
  const [step, createdAt, startedAt, endedAt, dueAt] = texts.slice(13)
  return {
    id: id!,
    name: name!,
    version: Number(version),
    queue: queue!,
    tenant: tenant!,
    state: state as JobState,
    attempts: Number(attempts),
    deaths: Number(deaths),
    input: input!,
    output: output ?? undefined,
    error: parsed<JobFailure>(error),
    progress: parsed<JobProgress>(progress),
    owner: owner ?? undefined,
    step: step ?? undefined,
    createdAt: Number(createdAt),
    startedAt: time(startedAt),
    endedAt: time(endedAt),
    dueAt: time(dueAt),
  }
}

function parsed<T>(text: string | null | undefined): T | undefined {
  return text === null || text === undefined ? undefined : (JSON.parse(text) as T)
}

function time(text: string | null | undefined): number | undefined {
  return text === null || text === undefined ? undefined : Number(text)
}
