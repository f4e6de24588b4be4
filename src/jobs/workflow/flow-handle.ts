import { parseDuration, type Duration } from '../../core/duration.ts'
import { PlimsollError } from '../../core/errors.ts'
import { readTexts } from '../../postgres/index.ts'
import type { JobFailure } from '../contract.ts'
import { causeOf } from '../failure-cause.ts'
import { firstOf } from '../job-handle.ts'
import { isJobId } from '../job-id.ts'
import { refuseInTransaction } from '../refuse-in-transaction.ts'
import { cancel, retry, type FlowParts } from './flow-control.ts'
import { countSteps, findFlow, listSteps, listStopped, watchFlow } from './statements.ts'
import type { FlowHandle, FlowState, FlowStatus, FlowStep, FlowStepState } from './types.ts'

/** How many steps of a status are looked up in the engine, for what is going on with them right now. */
const mostLookedUp = 100

/** The handle of a workflow, whether it was started here or elsewhere. */
export function flowHandle<O>(parts: FlowParts, given: string): FlowHandle<O> {
  const id = given.toLowerCase()
  const isId = isJobId(id)
  return Object.freeze<FlowHandle<O>>({
    id,
    result: async (options) => {
      if (!isId) throw unknown(id)
      return resultOf<O>(parts, id, options)
    },
    status: async ({ steps = 1000 } = {}) => (isId ? statusOf(parts, id, steps) : undefined),
    cancel: async () => isId && cancel(parts, id),
    retry: async () => isId && retry(parts, id),
  })
}

interface FlowRow {
  readonly state: FlowState
  readonly output: unknown
  readonly createdAt: number
  readonly endedAt: number | undefined
  /** Those that have stopped it. */
  readonly stopped: readonly FlowStep[]
}

async function resultOf<O>(
  parts: FlowParts,
  id: string,
  { timeout, signal }: { readonly timeout?: Duration; readonly signal?: AbortSignal } = {},
): Promise<O> {
  refuseInTransaction(parts.postgres, `the workflow '${id}'`)
  const timeoutMs = timeout === undefined ? Number.POSITIVE_INFINITY : parseDuration(timeout, 'timeout')
  const deadline = performance.now() + timeoutMs
  await readTexts(parts.postgres, watchFlow, [id])
  const ended = firstOf(parts.closed, signal)
  for (;;) {
    signal?.throwIfAborted()
    const row = await readFlow(parts, id)
    if (row === undefined) throw unknown(id)
    if (row.state === 'done') return row.output as O
    if (row.state !== 'running') throw failed(id, row)
    const leftMs = deadline - performance.now()
    if (leftMs <= 0) {
      throw new PlimsollError('PLIMSOLL_JOB_TIMEOUT', `The workflow '${id}' has not ended within ${timeoutMs} ms.`, {
        details: { id },
      })
    }
    ended.throwIfAborted()
    await parts.news.wait(id, { timeoutMs: leftMs, signal: ended })
  }
}

function unknown(id: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_JOB_UNKNOWN', `There is no workflow '${id}', or none any more.`, {
    details: { id },
  })
}

function failed(id: string, { state, stopped }: FlowRow): PlimsollError {
  const [first] = stopped
  // What is no job has no name.
  const step = first?.name ? `the step '${first.name}'` : 'a group'
  const details = { id, state, step: first?.name, job: first?.job, error: first?.error }
  if (state === 'cancelled')
    return new PlimsollError('PLIMSOLL_JOB_CANCELLED', 'The workflow was cancelled.', { details })
  const why = first?.state === 'cancelled' ? 'was cancelled' : `has failed: ${first?.error?.message}`
  return new PlimsollError('PLIMSOLL_JOB_FAILED', `The workflow has failed: ${step} ${why}`, {
    cause: causeOf(first?.error),
    details,
  })
}

async function statusOf(parts: FlowParts, id: string, most: number): Promise<FlowStatus | undefined> {
  const row = await readFlow(parts, id)
  if (row === undefined) return undefined
  const counts: Record<FlowStepState, number> = { blocked: 0, running: 0, done: 0, failed: 0, cancelled: 0 }
  for (const [state, count] of await readTexts(parts.postgres, countSteps, [id])) {
    counts[state as FlowStepState] = Number(count)
  }
  const steps = (await readTexts(parts.postgres, listSteps, [id, most])).map(toStep)
  const { state, output, createdAt, endedAt } = row
  return { id, state, createdAt, endedAt, output, counts, steps: await lookUp(parts, steps) }
}

async function readFlow(parts: FlowParts, id: string): Promise<FlowRow | undefined> {
  const [row] = await readTexts(parts.postgres, findFlow, [id])
  if (row === undefined) return undefined
  const [, stored, output, createdAt, endedAt, hasStopped] = row
  let state = stored as FlowState
  let stopped: FlowStep[] = []
  if (state === 'running' && hasStopped === 't') {
    stopped = (await lookUp(parts, (await readTexts(parts.postgres, listStopped, [id])).map(toStep))).filter(
      (step) => step.state !== 'running',
    )
    // All of them were put back to their queues.
    if (stopped.length > 0) state = 'failed'
  }
  return {
    state,
    output: output === null ? undefined : JSON.parse(output!),
    createdAt: Number(createdAt),
    endedAt: endedAt === null ? undefined : Number(endedAt),
    stopped,
  }
}

/** Steps with what their jobs are doing now. */
async function lookUp({ engine }: FlowParts, steps: readonly FlowStep[]): Promise<FlowStep[]> {
  let left = mostLookedUp
  return Promise.all(
    steps.map(async (step) => {
      if (step.job === undefined || (step.state !== 'running' && step.state !== 'failed') || left-- <= 0) return step
      const record = await engine.find(step.job)
      if (record === undefined) return step
      const { attempts: attempt, error } = record
      // A dead letter that was put back to its queue.
      const again = step.state === 'failed' && ['waiting', 'delayed', 'active'].includes(record.state)
      return { ...step, attempt, error: error ?? step.error, state: again ? 'running' : step.state }
    }),
  )
}

function toStep([step, name, state, job, attempts, error]: readonly (string | null)[]): FlowStep {
  return {
    step: Number(step),
    name: name!,
    state: state as FlowStepState,
    job: job ?? undefined,
    attempt: Number(attempts),
    error: error === null ? undefined : (JSON.parse(error!) as JobFailure),
  }
}
