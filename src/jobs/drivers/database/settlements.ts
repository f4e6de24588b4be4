import { setTimeout as wait } from 'node:timers/promises'
import { backoffMs } from '../../../core/backoff.ts'
import type { ErrorCode } from '../../../core/error-codes.ts'
import { isPlimsollError } from '../../../core/errors.ts'
import { readTexts, type Postgres } from '../../../postgres/index.ts'
import type { Outcome } from '../../contract.ts'
import { Batches } from './batches.ts'
import type { Bulletin } from './bulletin.ts'
import { endsWithin } from './ends-within.ts'
import { follow } from './follow.ts'
import { toNotice } from './job-rows.ts'
import { finishJobs, settleJobs } from './statements.ts'

/** A run of a job: the one that began when the job was at this `seq`, which it gets anew each time it becomes ready. */
export interface SettledRun {
  readonly id: string
  readonly seq: bigint
  /** How far it came, as JSON, when that is not stored yet. */
  readonly progress?: string | undefined
}

interface Settlement {
  readonly worker: string
  readonly run: SettledRun
  readonly outcome: Outcome
  resolve(settled: boolean): void
}

const retry = { firstMs: 50, mostMs: 2000 }
/** How long it is kept that an outcome could not be stored. */
const keepRefusedMs = 14 * 24 * 3_600_000

/**
 * Says what came of runs. Those that end while a statement is under way go together with the next one. A database that is away is
 * asked again until it answers: only then is it known whether the lease has lasted.
 */
export class Settlements {
  readonly #postgres: Postgres
  readonly #bulletin: Bulletin
  readonly #end = new AbortController()
  /** What has not been stored yet, by the `seq` of its run. */
  readonly #open = new Map<bigint, { readonly settlement: Settlement; readonly settled: Promise<boolean> }>()
  readonly #batches = new Batches<Settlement>({
    // A statement is one worker's.
    groupOf: ({ worker }) => worker,
    charsOf: ({ outcome }) => (outcome.state === 'done' ? (outcome.output?.length ?? 0) : 0),
    send: (batch) => this.#send(batch),
  })

  constructor(postgres: Postgres, bulletin: Bulletin) {
    this.#postgres = postgres
    this.#bulletin = bulletin
  }

  /** How many have not been stored yet. */
  get size(): number {
    return this.#open.size
  }

  has({ seq }: SettledRun): boolean {
    return this.#open.has(seq)
  }

  /** Resolves to false when the lease of the run was lost. */
  settle(worker: string, run: SettledRun, outcome: Outcome): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const settlement: Settlement = {
      worker,
      run,
      outcome,
      resolve: (settled) => {
        this.#open.delete(run.seq)
        resolve(settled)
      },
    }
    this.#open.set(run.seq, { settlement, settled: promise })
    this.#batches.add(settlement)
    return promise
  }

  /** Resolves when everything has been said, or is given up: a database that is away will find out by the lease. */
  async close(timeoutMs: number): Promise<void> {
    await endsWithin(Promise.all([...this.#open.values()].map(({ settled }) => settled)), timeoutMs)
    this.#giveUp()
  }

  #giveUp(): void {
    this.#end.abort()
    for (const { settlement } of this.#open.values()) settlement.resolve(false)
  }

  async #send(unsorted: readonly Settlement[]): Promise<void> {
    // Somebody who cancels them locks them in this order.
    const batch = unsorted.toSorted((a, b) => (a.run.id < b.run.id ? -1 : 1))
    const done = batch.filter(({ outcome }) => outcome.state === 'done')
    const others = batch.filter(({ outcome }) => outcome.state !== 'done')
    await Promise.all([done, others].filter(({ length }) => length > 0).map((part) => this.#say(part)))
  }

  /** Says outcomes that go into one statement, until they are stored or there is no more use in it. */
  async #say(batch: readonly Settlement[]): Promise<void> {
    const { signal } = this.#end
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const settled = await (batch[0]!.outcome.state === 'done' ? this.#finish(batch) : this.#settle(batch))
        for (const { run, resolve } of batch) resolve(settled.has(run.id))
        return
      } catch (error) {
        if (isPlimsollError(error, 'PLIMSOLL_DATABASE_CLOSED')) return this.#giveUp()
        if (isRefusal(error)) return this.#sayApart(batch, error)
        if (attempt === 1)
          process.emitWarning(
            `What came of ${batch.length} jobs cannot be stored now: ${String(error)}`,
            'PlimsollWarning',
          )
        await wait(backoffMs(attempt, retry), undefined, { signal }).catch(() => {})
      }
    }
    for (const { resolve } of batch) resolve(false)
  }

  /** One of them cannot be stored, and must not keep the others from it. */
  async #sayApart(batch: readonly Settlement[], error: unknown): Promise<void> {
    const [one] = batch
    if (batch.length > 1) {
      const half = Math.ceil(batch.length / 2)
      await this.#say(batch.slice(0, half))
      await this.#say(batch.slice(half))
      return
    }
    const { run, outcome, resolve } = one!
    const message = `What came of it (${outcome.state}) cannot be stored: ${String(error)}`
    if (outcome.state === 'failed' && outcome.error.name === refused) {
      process.emitWarning(`Job ${run.id}: ${message}`, 'PlimsollWarning')
      resolve(false)
      return
    }
    const code: ErrorCode | undefined = outcome.state === 'done' ? 'PLIMSOLL_JOB_OUTPUT_INVALID' : undefined
    const failed: Outcome = { state: 'failed', error: { name: refused, message, code }, keepMs: keepRefusedMs }
    await this.#say([{ ...one!, outcome: failed }])
  }

  /** The ids of those that have still had their lease. */
  async #finish(batch: readonly Settlement[]): Promise<ReadonlySet<string>> {
    const rows = await readTexts(this.#postgres, finishJobs, [
      batch[0]!.worker,
      batch.map(({ run }) => run.id),
      batch.map(({ run }) => run.seq),
      batch.map(({ outcome }) => (outcome.state === 'done' ? (outcome.output ?? null) : null)),
      batch.map(({ outcome }) => (outcome.state === 'done' ? outcome.keepMs : 0)),
      progressOf(batch),
    ])
    this.#bulletin.ended(rows.filter(([, watched]) => watched === 't').map(([id]) => id!))
    await this.#follow(rows.map(([, , endingKey]) => endingKey!))
    return new Set(rows.map(([id]) => id!))
  }

  /** The ids of those that have still had their lease. */
  async #settle(batch: readonly Settlement[]): Promise<ReadonlySet<string>> {
    const outcomes = batch.map(({ outcome }) => toRow(outcome))
    const rows = await readTexts(this.#postgres, settleJobs, [
      batch[0]!.worker,
      batch.map(({ run }) => run.id),
      batch.map(({ run }) => run.seq),
      outcomes.map(({ state }) => state),
      outcomes.map(({ uncounted }) => uncounted),
      outcomes.map(({ error }) => error),
      outcomes.map(({ ended }) => ended),
      outcomes.map(({ timeMs }) => timeMs),
      progressOf(batch),
    ])
    const timeOf = new Map(batch.map(({ run }, i) => [run.id, outcomes[i]!.timeMs]))
    for (const [id, , state, , ...lane] of rows) {
      if (state === 'waiting') this.#bulletin.ready([toNotice(lane)])
      if (state === 'delayed') this.#bulletin.delayed(timeOf.get(id!)!)
    }
    const watched = rows.filter(([, isWatched]) => isWatched === 't')
    const hasEnded = ([, , state]: readonly (string | null)[]): boolean => state === 'failed' || state === 'cancelled'
    this.#bulletin.ended(watched.filter(hasEnded).map(([id]) => id!))
    this.#bulletin.changed(watched.filter((row) => !hasEnded(row)).map(([id]) => id!))
    await this.#follow(rows.map(([, , , endingKey]) => endingKey!))
    return new Set(rows.map(([id]) => id!))
  }

  // Should the database go away just now, what waits is found by a look at everything.
  #follow(endedKeys: readonly (string | null)[]): Promise<void> {
    return follow(this.#postgres, this.#bulletin, endedKeys).catch(() => {})
  }
}

/** What the error of a job is named whose outcome the database has refused. */
const refused = 'OutcomeRefused'

/** The database is there, and does not take it: it never will. What else has gone wrong may pass. */
export function isRefusal(error: unknown): boolean {
  if (!isPlimsollError(error)) return true
  const { sqlState } = error.details
  return typeof sqlState === 'string' && ['22', '23', '54', 'P0'].includes(sqlState.slice(0, 2))
}

/** Of most runs there is none: then not even an array is sent. */
function progressOf(batch: readonly Settlement[]): readonly (string | null)[] | null {
  if (batch.every(({ run }) => run.progress === undefined)) return null
  return batch.map(({ run }) => run.progress ?? null)
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
