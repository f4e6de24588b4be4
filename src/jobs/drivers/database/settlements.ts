import { backoffMs } from '../../../core/backoff.ts'
import { readTexts, type Postgres } from '../../../postgres/index.ts'
import type { LeasedJob, Outcome } from '../../contract.ts'
import type { Bulletin } from './bulletin.ts'
import { toNotice } from './job-rows.ts'
import { finishJobs, settleJobs } from './statements.ts'

interface Settlement {
  readonly worker: string
  readonly job: LeasedJob
  readonly outcome: Outcome
  resolve(settled: boolean): void
}

const mostAtOnce = 500
const mostInFlight = 2
const retry = { firstMs: 50, mostMs: 2000 }

/**
 * Says what came of runs. Those that end while a statement is under way go together with the next one. A database that is away is
 * asked again until it answers: only then is it known whether the lease has lasted.
 */
export class Settlements {
  readonly #postgres: Postgres
  readonly #bulletin: Bulletin
  #waiting: Settlement[] = []
  #inFlight = 0
  #sent = 0
  #scheduled = false

  constructor(postgres: Postgres, bulletin: Bulletin) {
    this.#postgres = postgres
    this.#bulletin = bulletin
  }

  /** How many have not been stored yet. */
  get size(): number {
    return this.#waiting.length + this.#sent
  }

  /** Resolves to false when the lease of the run was lost. */
  settle(worker: string, job: LeasedJob, outcome: Outcome): Promise<boolean> {
    return new Promise((resolve) => {
      this.#waiting.push({ worker, job, outcome, resolve })
      this.#schedule()
    })
  }

  /** Resolves when everything has been said. */
  async idle(): Promise<void> {
    while (this.#waiting.length > 0 || this.#inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= mostInFlight) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      while (this.#waiting.length > 0 && this.#inFlight < mostInFlight) {
        // A statement is one worker's.
        const { worker } = this.#waiting[0]!
        const batch = this.#waiting.filter((one) => one.worker === worker).slice(0, mostAtOnce)
        const taken = new Set(batch)
        this.#waiting = this.#waiting.filter((one) => !taken.has(one))
        void this.#send(worker, batch)
      }
    })
  }

  async #send(worker: string, batch: readonly Settlement[]): Promise<void> {
    this.#inFlight++
    this.#sent += batch.length
    for (let attempt = 1; ; attempt++) {
      try {
        const settled = await this.#store(worker, batch)
        for (const { job, resolve } of batch) resolve(settled.has(job.id))
        break
      } catch (error) {
        if (attempt === 1)
          process.emitWarning(
            `What came of ${batch.length} jobs cannot be stored now: ${String(error)}`,
            'PlimsollWarning',
          )
        await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, retry)))
      }
    }
    this.#inFlight--
    this.#sent -= batch.length
    if (this.#waiting.length > 0) this.#schedule()
  }

  /** The ids of those that have still had their lease. */
  async #store(worker: string, batch: readonly Settlement[]): Promise<ReadonlySet<string>> {
    const done = batch.filter(({ outcome }) => outcome.state === 'done')
    const others = batch.filter(({ outcome }) => outcome.state !== 'done')
    const settled = new Set<string>()
    const watched: string[] = []
    const parts: Promise<void>[] = []
    if (done.length > 0) {
      parts.push(
        readTexts(this.#postgres, finishJobs, [
          worker,
          done.map(({ job }) => job.id),
          done.map(({ outcome }) => (outcome.state === 'done' ? (outcome.output ?? null) : null)),
          done.map(({ outcome }) => (outcome.state === 'done' ? outcome.keepMs : 0)),
        ]).then((rows) => {
          for (const [id, isWatched] of rows) {
            settled.add(id!)
            if (isWatched === 't') watched.push(id!)
          }
        }),
      )
    }
    if (others.length > 0) {
      const rows = others.map(({ outcome }) => toRow(outcome))
      parts.push(
        readTexts(this.#postgres, settleJobs, [
          worker,
          others.map(({ job }) => job.id),
          rows.map(({ state }) => state),
          rows.map(({ uncounted }) => uncounted),
          rows.map(({ error }) => error),
          rows.map(({ ended }) => ended),
          rows.map(({ timeMs }) => timeMs),
        ]).then((answers) => {
          const states = new Map(others.map(({ job }, i) => [job.id, rows[i]!]))
          for (const [id, isWatched, ...lane] of answers) {
            settled.add(id!)
            const { state, ended, timeMs } = states.get(id!)!
            if (ended && isWatched === 't') watched.push(id!)
            if (state === 'waiting') this.#bulletin.ready([toNotice(lane)])
            if (state === 'delayed') this.#bulletin.delayed(timeMs)
          }
        }),
      )
    }
    await Promise.all(parts)
    this.#bulletin.ended(watched)
    return settled
  }
}

interface SettledRow {
  readonly state: string
  /** 1 for a run that was no attempt. */
  readonly uncounted: number
  readonly error: string | null
  readonly ended: boolean
  /** How long it waits, or is kept. */
  readonly timeMs: number
}

function toRow(outcome: Outcome): SettledRow {
  switch (outcome.state) {
    case 'retry': {
      const { delayMs } = outcome
      const state = delayMs > 0 ? 'delayed' : 'waiting'
      return { state, uncounted: 0, error: JSON.stringify(outcome.error), ended: false, timeMs: delayMs }
    }
    case 'failed':
      return {
        state: 'failed',
        uncounted: 0,
        error: JSON.stringify(outcome.error),
        ended: true,
        timeMs: outcome.keepMs,
      }
    case 'parked':
      return { state: 'parked', uncounted: 1, error: JSON.stringify(outcome.error), ended: false, timeMs: 0 }
    case 'cancelled':
      return { state: 'cancelled', uncounted: 0, error: null, ended: true, timeMs: outcome.keepMs }
    default:
      return { state: 'waiting', uncounted: 1, error: null, ended: false, timeMs: 0 }
  }
}
