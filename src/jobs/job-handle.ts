import { parseDuration, type Duration } from '../core/duration.ts'
import { PlimsollError } from '../core/errors.ts'
import type { Postgres } from '../postgres/index.ts'
import type { JobEngine, JobRecord } from './contract.ts'
import { causeOf } from './failure-cause.ts'
import { isJobId } from './job-id.ts'
import { refuseInTransaction } from './refuse-in-transaction.ts'
import type { JobHandle, JobStatus } from './types.ts'
import { hasEnded, watchJob } from './watch-job.ts'

/** The engine of jobs, and the database whose transactions they are enqueued in. */
export interface HandleParts {
  readonly engine: JobEngine
  readonly postgres: Postgres
  /** Cancels jobs, and has their workflows told. */
  readonly cancel: (ids: readonly string[]) => Promise<number>
  /** Aborts when the jobs are closed: what is waited for then is told by nobody. */
  readonly closed: AbortSignal
}

/** The handle of a job, whether it was enqueued here or elsewhere. */
export function jobHandle<O>(parts: HandleParts, given: string, duplicate: boolean): JobHandle<O> {
  const { engine, cancel, closed } = parts
  const id = given.toLowerCase()
  const isId = isJobId(id)
  return Object.freeze<JobHandle<O>>({
    id,
    duplicate,
    result: async (options) => {
      if (!isId) throw unknown(id)
      return resultOf<O>(parts, id, options)
    },
    status: async () => {
      const record = isId ? await engine.find(id) : undefined
      return record && toStatus(record)
    },
    watch: async function* (options) {
      const signal = firstOf(closed, options?.signal)
      if (isId) for await (const record of watchJob(engine, id, signal)) yield toStatus(record)
    },
    cancel: async () => isId && (await cancel([id])) > 0,
  })
}

/** Aborts as the first of them does. */
export function firstOf(closed: AbortSignal, signal: AbortSignal | undefined): AbortSignal {
  return signal === undefined ? closed : AbortSignal.any([closed, signal])
}

/** A record with its JSON read, without what is our own. */
export function toStatus(record: JobRecord): JobStatus {
  const { input, output, step: _, ...rest } = record
  return { ...rest, input: JSON.parse(input), output: output === undefined ? undefined : JSON.parse(output) }
}

async function resultOf<O>(
  { engine, postgres, closed }: HandleParts,
  id: string,
  { timeout, signal }: { readonly timeout?: Duration; readonly signal?: AbortSignal } = {},
): Promise<O> {
  refuseInTransaction(postgres, `the job '${id}'`)
  const timeoutMs = timeout === undefined ? Number.POSITIVE_INFINITY : parseDuration(timeout, 'timeout')
  const deadline = performance.now() + timeoutMs
  const ended = firstOf(closed, signal)
  for (;;) {
    signal?.throwIfAborted()
    const record = await engine.find(id)
    if (record === undefined) throw unknown(id)
    if (hasEnded(record)) return outputOf<O>(record)
    const leftMs = deadline - performance.now()
    if (leftMs <= 0) throw late(record, timeoutMs)
    ended.throwIfAborted()
    await engine.settled(id, { timeoutMs: leftMs, signal: ended })
  }
}

function outputOf<O>({ id, name, state, output, error }: JobRecord): O {
  if (state === 'done') return (output === undefined ? undefined : JSON.parse(output)) as O
  const details = { id, name, state, error }
  if (state === 'cancelled')
    throw new PlimsollError('PLIMSOLL_JOB_CANCELLED', `The job '${name}' was cancelled.`, { details })
  const text = `The job '${name}' has failed: ${error?.message ?? state}`
  throw new PlimsollError('PLIMSOLL_JOB_FAILED', text, { cause: causeOf(error), details })
}

function unknown(id: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_JOB_UNKNOWN', `There is no job '${id}', or none any more.`, { details: { id } })
}

function late({ id, name, state }: JobRecord, timeoutMs: number): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_JOB_TIMEOUT',
    `The job '${name}' has not ended within ${timeoutMs} ms; it is ${state}.`,
    {
      details: { id, name, state },
    },
  )
}
