import { readTexts, type Postgres, type Transaction } from '../../postgres/index.ts'
import type { JobEngine } from '../contract.ts'
import type { Enqueuer } from '../enqueuer.ts'
import { FlowMoves } from './flow-moves.ts'
import type { FlowNews } from './flow-news.ts'
import type { FlowOutcomes } from './flow-outcomes.ts'
import { toStepRow, type GroupRef, type StepRow } from './flow-rows.ts'
import { cancelFlow, cancelSteps, findFull, findStopped, lockFlow, reopenFlow, resumeSteps } from './statements.ts'

/** What handles of workflows work with. */
export interface FlowParts {
  readonly postgres: Postgres
  readonly engine: JobEngine
  readonly enqueuer: Enqueuer
  readonly news: FlowNews
  readonly outcomes: FlowOutcomes
  /** Aborts when the jobs are closed. */
  readonly closed: AbortSignal
}

/** How many jobs are cancelled, or looked up, at once. */
const mostAtOnce = 500

/** Ends a workflow with all its jobs; false when it has ended. */
export function cancel({ postgres, engine, news }: FlowParts, id: string): Promise<boolean> {
  return alone(postgres, id, async (transaction) => {
    const [flow] = await readTexts(transaction, cancelFlow, [id])
    if (flow === undefined) return false
    const jobs = (await readTexts(transaction, cancelSteps, [id])).map(([job]) => job!)
    // Before the commit: should it fail, what was cancelled all the same shows in the workflow.
    for (let at = 0; at < jobs.length; at += mostAtOnce) await engine.cancel(jobs.slice(at, at + mostAtOnce))
    if (flow[0] === 't') transaction.afterCommit(() => news.tell([id]))
    return true
  })
}

/** Goes on with the steps that have stopped a workflow; false when there are none, or it is done. */
export function retry({ postgres, engine, enqueuer, outcomes }: FlowParts, id: string): Promise<boolean> {
  return alone(postgres, id, async (transaction) => {
    const [flow] = await readTexts(transaction, reopenFlow, [id])
    if (flow === undefined) return false
    const moves = new FlowMoves(transaction, enqueuer)
    let count = 0
    for (let after = -1; ;) {
      const rows = (await readTexts(transaction, findStopped, [id, after])).map(toStopped)
      if (rows.length === 0) break
      after = rows.at(-1)!.step
      const { letters, others } = await sort(engine, rows)
      await resume(transaction, letters)
      const ids = letters.map(({ job }) => job!)
      // Workers are told of it at once, and see it only when it is committed.
      if (ids.length > 0) transaction.afterCommit(async () => void (await engine.redrive({ ids })))
      count += letters.length + (await moves.again(others))
    }
    // What was about to follow when it was cancelled.
    const full = (await readTexts(transaction, findFull, [id])).map(([flowId, step]): GroupRef => ({
      flow: flowId!,
      step: Number(step),
    }))
    transaction.afterCommit(() => outcomes.endGroups(full))
    return count > 0 || full.length > 0
  })
}

interface StoppedRow extends StepRow {
  readonly cancelled: boolean
}

function toStopped(texts: readonly (string | null)[]): StoppedRow {
  return { ...toStepRow(texts), cancelled: texts.at(-1) === 'cancelled' }
}

/** Dead letters go back to their queues. Jobs that were cancelled, or are not kept any more, are made anew. */
async function sort(
  engine: JobEngine,
  rows: readonly StoppedRow[],
): Promise<{ readonly letters: StepRow[]; readonly others: StepRow[] }> {
  const letters: StepRow[] = []
  const others: StepRow[] = []
  for (let at = 0; at < rows.length; at += mostAtOnce) {
    const some = rows.slice(at, at + mostAtOnce)
    const records = await Promise.all(
      // A job that was cancelled may not know it yet.
      some.map(async ({ job, cancelled }) => (job === undefined || cancelled ? undefined : engine.find(job))),
    )
    for (const [i, row] of some.entries()) {
      const state = records[i]?.state
      const known = state !== undefined && state !== 'cancelled' && state !== 'done'
      if (known) letters.push(row)
      else others.push(row)
    }
  }
  return { letters, others }
}

async function resume(transaction: Transaction, rows: readonly StepRow[]): Promise<void> {
  if (rows.length === 0) return
  await readTexts(transaction, resumeSteps, [rows[0]!.flow, rows.map(({ step }) => step)])
}

/** While nobody moves the workflow on. */
function alone<T>(postgres: Postgres, id: string, work: (transaction: Transaction) => Promise<T>): Promise<T> {
  // Each statement has to see what others have committed by then; within the caller's transaction that is up to the caller.
  const options = postgres.current() === undefined ? { isolation: 'read committed' as const, retries: 3 } : {}
  return postgres.transaction(async (transaction) => {
    await readTexts(transaction, lockFlow, [id])
    return work(transaction)
  }, options)
}
