import { backoffMs } from '../../core/backoff.ts'
import { isPlimsollError } from '../../core/errors.ts'
import { readTexts, type Postgres, type Transaction } from '../../postgres/index.ts'
import type { LeasedJob, Outcome } from '../contract.ts'
import type { Enqueuer } from '../enqueuer.ts'
import { FlowMoves } from './flow-moves.ts'
import type { FlowNews } from './flow-news.ts'
import { readStep, toEnded, type GroupRef } from './flow-rows.ts'
import { findEndedGroups, findPlaces, shareFlows, storeOutcomes } from './statements.ts'

/** What came of the job of a step. */
export interface StepOutcome extends GroupRef {
  readonly job: string
  readonly state: 'done' | 'failed' | 'cancelled'
  readonly output: string | null
  readonly error: string | null
  readonly attempts: number
}

interface Waiting {
  readonly outcome: StepOutcome
  resolve(): void
  reject(error: unknown): void
}

const mostAtOnce = 100
const mostInFlight = 2
const retry = { firstMs: 50, mostMs: 2000 }

/**
 * Moves workflows on by what came of their jobs; those that end while a transaction is under way go together with the next one.
 *
 * It is stored before the job itself is settled. A process that dies in between leaves a job that is run again; its step is done by
 * then, so that nothing comes of it twice. The other way around, a workflow would stand still.
 */
export class FlowOutcomes {
  readonly #postgres: Postgres
  readonly #enqueuer: Enqueuer
  readonly #news: FlowNews
  #waiting: Waiting[] = []
  #inFlight = 0
  #scheduled = false

  constructor(postgres: Postgres, parts: { readonly enqueuer: Enqueuer; readonly news: FlowNews }) {
    this.#postgres = postgres
    this.#enqueuer = parts.enqueuer
    this.#news = parts.news
  }

  /**
   * Resolves when what came of a run is stored; a database that is away is asked again until it answers. Runs that go on later change
   * nothing.
   *
   * @throws PLIMSOLL_DATABASE_CLOSED
   */
  async tell(job: LeasedJob, outcome: Outcome): Promise<void> {
    if (outcome.state !== 'done' && outcome.state !== 'failed' && outcome.state !== 'cancelled') return
    await this.store({
      ...readStep(job.step!),
      job: job.id,
      state: outcome.state,
      output: outcome.state === 'done' ? (outcome.output ?? null) : null,
      error: outcome.state === 'failed' ? JSON.stringify(outcome.error) : null,
      attempts: job.attempt,
    })
  }

  /** See {@link tell}. */
  store(outcome: StepOutcome): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ outcome, resolve, reject })
      this.#schedule()
    })
  }

  /** Ends those of these groups of which nothing is open any more; what that ends in turn, too. */
  async endGroups(groups: readonly GroupRef[]): Promise<void> {
    let open = groups
    while (open.length > 0) {
      const wanted = [...new Map(open.map((group) => [`${group.flow}/${group.step}`, group])).values()]
      const found = await readTexts(this.#postgres, findEndedGroups, toColumns(wanted))
      const ended = found.map(([flow, step]) => ({ flow: flow!, step: Number(step) }))
      open = ended.length > 0 ? await this.#move(ended, (moves) => moves.endGroups(ended)) : []
    }
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= mostInFlight) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      while (this.#waiting.length > 0 && this.#inFlight < mostInFlight)
        void this.#send(this.#waiting.splice(0, mostAtOnce))
    })
  }

  async #send(batch: readonly Waiting[]): Promise<void> {
    this.#inFlight++
    try {
      await this.#untilStored(batch.map(({ outcome }) => outcome))
      for (const { resolve } of batch) resolve()
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    this.#inFlight--
    if (this.#waiting.length > 0) this.#schedule()
  }

  async #untilStored(outcomes: readonly StepOutcome[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.endGroups(await this.#store(outcomes))
        return
      } catch (error) {
        if (isPlimsollError(error, 'PLIMSOLL_DATABASE_CLOSED')) throw error
        if (attempt === 1)
          process.emitWarning(
            `What came of ${outcomes.length} steps cannot be stored now: ${String(error)}`,
            'PlimsollWarning',
          )
        await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, retry)))
      }
    }
  }

  #store(outcomes: readonly StepOutcome[]): Promise<readonly GroupRef[]> {
    return this.#move(outcomes, async (moves, transaction) => {
      const values = [
        ...toColumns(outcomes),
        outcomes.map(({ job }) => job),
        outcomes.map(({ state }) => state),
        outcomes.map(({ output }) => output),
        outcomes.map(({ error }) => error),
        outcomes.map(({ attempts }) => attempts),
      ]
      const rows = await readTexts(transaction, storeOutcomes, values)
      const done = rows.filter(([, , , , , , state]) => state === 'done').map(toEnded)
      for (const [flow, , , , , , state, watched] of rows)
        if (state !== 'done' && watched === 't') moves.told.add(flow!)
      await moves.ended(done)
      const stored = new Set(rows.map(([flow, step]) => `${flow}/${step}`))
      const before = outcomes.filter(({ flow, step }) => !stored.has(`${flow}/${step}`))
      if (before.length === 0) return
      // Stored by a run that has died before it could end the group.
      for (const row of await readTexts(transaction, findPlaces, toColumns(before))) {
        const { flow, inside, parent } = toEnded(row)
        if (inside === 'group' && row[6] === 'done') moves.groups.push({ flow, step: parent! })
      }
    })
  }

  /** Resolves to the groups of which something has ended, when that is committed. */
  async #move(
    of: readonly GroupRef[],
    work: (moves: FlowMoves, transaction: Transaction) => Promise<void>,
  ): Promise<readonly GroupRef[]> {
    // Each statement has to see what others have committed by then.
    const moves = await this.#postgres.transaction(
      async (transaction) => {
        await readTexts(transaction, shareFlows, [[...new Set(of.map(({ flow }) => flow))]])
        const made = new FlowMoves(transaction, this.#enqueuer)
        await work(made, transaction)
        return made
      },
      { isolation: 'read committed' },
    )
    this.#news.tell([...moves.told])
    return moves.groups
  }
}

function toColumns(steps: readonly GroupRef[]): [string[], number[]] {
  return [steps.map(({ flow }) => flow), steps.map(({ step }) => step)]
}
