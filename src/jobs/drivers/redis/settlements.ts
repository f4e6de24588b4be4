import { setTimeout as wait } from 'node:timers/promises'
import { backoffMs } from '../../../core/backoff.ts'
import type { Outcome } from '../../contract.ts'
import { endsWithin } from '../database/ends-within.ts'
import type { TakenJob } from './job-fields.ts'
import type { RedisLink } from './redis-link.ts'
import { settleRuns } from './scripts/settle.ts'

interface Settlement {
  readonly worker: string
  readonly taken: TakenJob
  readonly outcome: Outcome
  resolve(settled: boolean): void
}

const mostAtOnce = 200
const retry = { firstMs: 50, mostMs: 2000 }

/**
 * Says what came of runs; those that end in one turn of the event loop go together. A Redis that is away is asked again until it
 * answers: only then is it known whether the lease has lasted.
 */
export class Settlements {
  readonly #link: Pick<RedisLink, 'run'>
  /** Jobs wait, or will: by the outcome of a run. */
  readonly #back: () => void
  /** By their runs. */
  readonly #pending = new Map<string, Settlement>()
  readonly #end = new AbortController()
  #waiting: Settlement[] = []
  #scheduled = false
  #idle: (() => void)[] = []

  constructor(link: Pick<RedisLink, 'run'>, back: () => void) {
    this.#link = link
    this.#back = back
  }

  /** How many have not been stored yet. */
  get size(): number {
    return this.#pending.size
  }

  /** What has not been stored yet of the runs of a worker. */
  of(worker: string): readonly TakenJob[] {
    return [...this.#pending.values()].filter((one) => one.worker === worker).map(({ taken }) => taken)
  }

  /** True for a run whose outcome has not been stored yet. */
  has(worker: string, run: TakenJob): boolean {
    return this.#pending.has(keyOf(worker, run))
  }

  /** Resolves to false when the lease of the run was lost. */
  settle(worker: string, taken: TakenJob, outcome: Outcome): Promise<boolean> {
    return new Promise((resolve) => {
      const settlement = { worker, taken, outcome, resolve }
      this.#pending.set(keyOf(worker, taken), settlement)
      this.#waiting.push(settlement)
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(() => this.send())
    })
  }

  /** Sends what there is, in front of whatever is sent next. */
  send(): void {
    this.#scheduled = false
    while (this.#waiting.length > 0) {
      // A call is one worker's.
      const { worker } = this.#waiting[0]!
      let most = 1
      while (most < mostAtOnce && this.#waiting[most]?.worker === worker) most++
      void this.#store(worker, this.#waiting.splice(0, most))
    }
  }

  /** Resolves when everything has been said, or is given up: a Redis that is away will find out by the lease. */
  async close(timeoutMs: number): Promise<void> {
    this.send()
    if (this.#pending.size > 0) await endsWithin(new Promise<void>((resolve) => this.#idle.push(resolve)), timeoutMs)
    this.#end.abort()
    for (const { resolve } of this.#pending.values()) resolve(false)
  }

  async #store(worker: string, batch: readonly Settlement[]): Promise<void> {
    const values = [worker, ...batch.flatMap(({ taken, outcome }) => toArguments(taken, outcome))]
    const { signal } = this.#end
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        const answers = (await this.#link.run(settleRuns, values)) as readonly number[]
        for (const [i, { taken, resolve, outcome }] of batch.entries()) {
          this.#pending.delete(keyOf(worker, taken))
          if (outcome.state === 'retry' || outcome.state === 'released' || taken.limit !== undefined) this.#back()
          resolve(answers[i] === 1)
        }
        if (this.#pending.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
        return
      } catch (error) {
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
}

/** What is unique of a run: its job has others, also under leases that were lost, and under new data the number of one may be that of another. */
function keyOf(worker: string, { job, epoch }: TakenJob): string {
  return `${job.id} ${epoch} ${worker}`
}

function toArguments({ job, epoch, progress }: TakenJob, outcome: Outcome): (string | number)[] {
  const { state } = outcome
  const text = 'error' in outcome ? JSON.stringify(outcome.error) : state === 'done' ? (outcome.output ?? '') : ''
  const ms = state === 'retry' ? outcome.delayMs : 'keepMs' in outcome ? outcome.keepMs : 0
  return [job.id, epoch, state, text, ms, progress ?? '']
}
