import { parseDuration } from '../../core/duration.ts'
import { readTexts, type Postgres } from '../../postgres/index.ts'
import type { JobEngine } from '../contract.ts'
import type { Enqueuer } from '../enqueuer.ts'
import { jobId } from '../job-id.ts'
import type { OutcomeHook } from '../worker/open-worker.ts'
import type { FlowParts } from './flow-control.ts'
import { flowHandle } from './flow-handle.ts'
import { FlowLook } from './flow-look.ts'
import { FlowNews } from './flow-news.ts'
import { FlowOutcomes } from './flow-outcomes.ts'
import { ensureFlowTables } from './flow-tables.ts'
import { FlowWriter } from './flow-writer.ts'
import { insertFlow } from './statements.ts'
import { nodeOf } from './steps.ts'
import type { AnyFlow, FlowHandle, StartOptions } from './types.ts'

/** The workflows of an application. */
export interface Workflows {
  start<O>(flow: AnyFlow, options?: StartOptions): Promise<FlowHandle<O>>
  handle<O>(id: string): FlowHandle<O>
  /** For workers: moves workflows on by what came of their steps. */
  readonly onOutcome: OutcomeHook
  /**
   * Moves workflows on by what has become of these jobs without a worker that could tell; when the transaction has committed that the
   * caller runs in. What is not told here is found later.
   */
  readonly ended: (ids: readonly string[]) => void
  /** Looks after workflows from now on: a process that works does. */
  work(): Promise<void>
  close(): Promise<void>
}

/** Opens the workflows of an application. */
export function openWorkflows(
  postgres: Postgres,
  {
    engine,
    enqueuer,
    closed,
  }: { readonly engine: JobEngine; readonly enqueuer: Enqueuer; readonly closed: AbortSignal },
): Workflows {
  const news = new FlowNews(postgres)
  const outcomes = new FlowOutcomes(postgres, { enqueuer, news })
  const parts: FlowParts = { postgres, engine, enqueuer, news, outcomes, closed }
  const look = new FlowLook(parts)
  let working: Promise<void> | undefined
  return {
    start: async <O>(flow: AnyFlow, options: StartOptions = {}) =>
      flowHandle<O>(parts, await start(parts, flow, options)),
    handle: (id) => flowHandle(parts, id),
    onOutcome: (job, outcome) => outcomes.tell(job, outcome),
    ended: (ids) => {
      const within = postgres.current()
      if (within === undefined) look.hear(ids)
      else within.afterCommit(() => look.hear(ids))
    },
    work: () => (working ??= ensureFlowTables(postgres).then(() => look.start())),
    close: async () => {
      await look.close()
      await news.close()
    },
  }
}

/** Stores a workflow with its first jobs, in the transaction that the caller runs in. */
async function start({ postgres, enqueuer }: FlowParts, flow: AnyFlow, options: StartOptions): Promise<string> {
  const { tenant = '', owner, input, keep = '1h', keepFailed = '14d' } = options
  const node = nodeOf(flow, 'start')
  const keepMs = parseDuration(keep, 'keep')
  const keepFailedMs = parseDuration(keepFailed, 'keepFailed')
  const id = jobId()
  await postgres.transaction(async (transaction) => {
    await readTexts(transaction, insertFlow, [id, tenant, owner ?? null, keepMs, keepFailedMs])
    const given = input === undefined ? undefined : { value: input }
    await new FlowWriter(transaction, { enqueuer, start: { id, tenant, owner, input: given } }).write(node)
  })
  return id
}
