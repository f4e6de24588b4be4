import { errorCodes } from '../../core/error-codes.ts'
import { endStates } from '../../jobs/contract.ts'
import type { JobFailure, JobStatus } from '../../jobs/index.ts'
import { jobPlaces } from './job-places.ts'

/** What the owner of a job is told of it; `null` is what there is not, or not yet. */
export interface JobBody {
  readonly id: string
  readonly name: string
  readonly state: JobStatus['state']
  /** True when nothing more becomes of it by itself. */
  readonly ended: boolean
  /** How often it was run. */
  readonly attempts: number
  /** How often the worker that ran it has died. */
  readonly deaths: number
  readonly progress: { readonly done: number; readonly total: number | null; readonly note: string | null } | null
  /** What its last run has failed of. */
  readonly error: { readonly name: string; readonly message: string; readonly code?: string } | null
  readonly createdAt: string
  readonly startedAt: string | null
  readonly endedAt: string | null
  /** When it is run, while it waits for that. */
  readonly dueAt: string | null
  /** Where its output lies, once it is done. */
  readonly result: string | null
  readonly events: string
}

/** True when nothing more becomes of a job by itself. */
export function isEnded({ state }: Pick<JobStatus, 'state'>): boolean {
  return endStates.has(state)
}

/** A job as its owner sees it: without its input, its queue and its stack. */
export function toJobBody(status: JobStatus, path: string): JobBody {
  const { id, name, state, attempts, deaths, progress, error } = status
  const { result, events } = jobPlaces(path, id)
  return {
    id,
    name,
    state,
    ended: isEnded(status),
    attempts,
    deaths,
    progress: progress ? { done: progress.done, total: progress.total ?? null, note: progress.note ?? null } : null,
    error: error ? toError(error) : null,
    createdAt: timeOf(status.createdAt)!,
    startedAt: timeOf(status.startedAt),
    endedAt: timeOf(status.endedAt),
    dueAt: timeOf(status.dueAt),
    result: state === 'done' ? result : null,
    events,
  }
}

/** What a job says it has failed of. Of errors that the service is to blame for it says what kind they are, as problem documents do. */
function toError({ name, message, code }: JobFailure): NonNullable<JobBody['error']> {
  if (code === undefined || !Object.hasOwn(errorCodes, code)) return { name, message }
  const { status, title } = errorCodes[code as keyof typeof errorCodes]
  const ours = status >= 500 || code === 'PLIMSOLL_CONSTRAINT_VIOLATED'
  return { name, message: ours ? title : message, code }
}

function timeOf(epochMs: number | undefined): string | null {
  return epochMs === undefined ? null : new Date(epochMs).toISOString()
}
