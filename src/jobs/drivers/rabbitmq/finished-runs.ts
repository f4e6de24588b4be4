import { setTimeout as wait } from 'node:timers/promises'
import { backoffMs } from '../../../core/backoff.ts'
import { isPlimsollError } from '../../../core/errors.ts'
import type { Postgres } from '../../../postgres/index.ts'
import type { Outcome } from '../../contract.ts'
import { Batches } from '../database/batches.ts'
import { endsWithin } from '../database/ends-within.ts'
import { isRefusal } from '../database/settlements.ts'
import { finishRuns } from './handed-jobs.ts'
import type { DeliveredJob } from './shelf.ts'

/** A run that is done and was never in the books. */
export interface FinishedJob {
  readonly delivered: DeliveredJob
  readonly outcome: Extract<Outcome, { state: 'done' }>
  readonly ranMs: number
  resolve(settled: boolean): void
}

/** The parts of {@link FinishedRuns}. */
interface FinishedRunsParts {
  /** The id that this process has at the moment; empty while it has none. */
  readonly worker: () => string
  /** They are stored, or never will be by us: their messages are of no more use. */
  readonly stored: (jobs: readonly FinishedJob[], watched: readonly string[]) => void
  /** There is room for more. */
  readonly room: () => void
  /** The database refuses what it has come to: it has to be told by itself. */
  readonly apart: (job: FinishedJob) => Promise<void>
}

/** Two statements at a time store no more than one that is twice as large, unless the database is what is waited for. */
const leastBeside = 250
/** Another copy of a message is rare, and can wait. */
const lookMs = 50
const retry = { firstMs: 50, mostMs: 2000 }

/** Stores what runs came to, those together that end while a statement is under way. */
export class FinishedRuns {
  readonly #postgres: Postgres
  readonly #parts: FinishedRunsParts
  readonly #end = new AbortController()
  /** What has not been stored yet. */
  readonly #open = new Set<string>()
  readonly #batches = new Batches<FinishedJob>({
    // A statement is for those that are kept alike.
    groupOf: ({ outcome }) => outcome.keepMs,
    charsOf: ({ outcome }) => outcome.output?.length ?? 0,
    leastBeside,
    send: (batch) => this.#send(batch),
  })

  constructor(postgres: Postgres, parts: FinishedRunsParts) {
    this.#postgres = postgres
    this.#parts = parts
  }

  /** How many have not been stored yet. */
  get size(): number {
    return this.#open.size
  }

  has(id: string): boolean {
    return this.#open.has(id)
  }

  /** Resolves when it has been stored, or never will be. */
  async stored(id: string): Promise<void> {
    while (this.#open.has(id)) await wait(lookMs)
  }

  store(job: FinishedJob): void {
    this.#open.add(job.delivered.job.id)
    this.#batches.add(job)
  }

  /** Resolves when everything is stored, or is given up: then the broker delivers it again. */
  async close(timeoutMs: number): Promise<void> {
    await endsWithin(this.#batches.idle(), timeoutMs)
    this.#end.abort()
    for (const { resolve } of this.#batches.drop()) resolve(false)
    this.#open.clear()
  }

  async #send(batch: readonly FinishedJob[]): Promise<void> {
    await this.#store(batch)
    for (const { delivered } of batch) this.#open.delete(delivered.job.id)
    this.#parts.room()
  }

  async #store(batch: readonly FinishedJob[]): Promise<void> {
    const { signal } = this.#end
    const { keepMs } = batch[0]!.outcome
    const runs = batch.map(({ delivered, outcome, ranMs }) => ({
      id: delivered.job.id,
      output: outcome.output,
      ranMs,
    }))
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const worker = this.#parts.worker()
        if (worker !== '') {
          const { only, watched } = await finishRuns(this.#postgres, { worker, keepMs }, runs)
          this.#parts.stored(batch, watched)
          for (const { delivered, resolve } of batch) resolve(only?.has(delivered.job.id) ?? true)
          return
        }
      } catch (error) {
        if (isPlimsollError(error, 'PLIMSOLL_DATABASE_CLOSED')) break
        if (isRefusal(error)) {
          for (const job of batch) await this.#parts.apart(job)
          return
        }
        if (attempt === 1)
          process.emitWarning(
            `What came of ${batch.length} jobs cannot be stored now: ${String(error)}`,
            'PlimsollWarning',
          )
      }
      await wait(backoffMs(attempt, retry), undefined, { signal }).catch(() => {})
    }
    for (const { resolve } of batch) resolve(false)
  }
}
