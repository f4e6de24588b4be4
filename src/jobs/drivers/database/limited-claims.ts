import { backoffMs } from '../../../core/backoff.ts'
import type { Postgres } from '../../../postgres/index.ts'
import type { JobLimit } from '../../contract.ts'
import { claimLimited, mostOf } from './claims.ts'
import type { ClaimedJob } from './job-rows.ts'
import type { Lane, LaneAsk } from './lanes.ts'
import { LimitRests } from './limit-rests.ts'

/** The parts of {@link LimitedClaims}. */
interface LimitedClaimsParts {
  readonly limits: ReadonlyMap<string, JobLimit>
  /** Whom jobs are taken for. */
  readonly worker: () => string
  /** What has come of asks. */
  readonly took: (asks: readonly LaneAsk[], claimed: readonly ClaimedJob[]) => void
  readonly start: (worker: string, claimed: readonly ClaimedJob[]) => void
  readonly failed: (error: unknown) => void
  /** Called when there may be more to take. */
  readonly again: () => void
  /** Tells other processes that a run of a limit has ended. */
  readonly tell: (limit: string) => void
}

interface Claiming {
  readonly asks: readonly LaneAsk[]
  /** So many are taken at most. */
  readonly most: number
  ended: Promise<void>
}

const retry = { firstMs: 100, mostMs: 5000 }

/**
 * Takes jobs that are bounded, of all lanes of a limit together. That has to be alone in all processes, in a transaction, whose connection
 * may have to be waited for: what is not bounded is taken meanwhile.
 */
export class LimitedClaims {
  readonly #postgres: Postgres
  readonly #parts: LimitedClaimsParts
  readonly #rests: LimitRests
  readonly #claiming = new Map<string, Claiming>()
  #failures = 0

  constructor(postgres: Postgres, parts: LimitedClaimsParts) {
    this.#postgres = postgres
    this.#parts = parts
    this.#rests = new LimitRests(parts)
  }

  /** How many claims are under way. */
  get size(): number {
    return this.#claiming.size
  }

  /** True for a lane whose bounds are known here. */
  bounds({ limit }: Lane): boolean {
    return limit !== undefined && this.#parts.limits.has(limit)
  }

  isOpen(limit: string): boolean {
    return !this.#claiming.has(limit) && !this.#rests.has(limit)
  }

  /** How many may be about to begin of these lanes. */
  coming(of: (lane: Lane) => boolean = () => true): number {
    // Asked for each lane there is.
    if (this.#claiming.size === 0) return 0
    let coming = 0
    for (const { asks, most } of this.#claiming.values())
      coming += Math.min(most, mostOf(asks.filter(({ lane }) => of(lane))))
    return coming
  }

  /** Begins to take jobs of lanes with bounds that are open. */
  begin(asks: readonly LaneAsk[]): void {
    for (const [limit, ofLimit] of Map.groupBy(asks, ({ lane }) => lane.limit!)) {
      const { concurrency = mostOf(ofLimit), rate } = this.#parts.limits.get(limit)!
      const most = Math.min(concurrency, rate?.count ?? concurrency)
      const claiming = { asks: ofLimit, most, ended: Promise.resolve() }
      this.#claiming.set(limit, claiming)
      claiming.ended = this.#claim(limit, ofLimit)
    }
  }

  /** A run of this process has ended, of a limit or none, and what came of it is stored. */
  ended(limit: string | undefined): void {
    this.#rests.ended(limit)
  }

  /** One of another process has. */
  freed(limit: string): void {
    this.#rests.freed(limit)
  }

  /** Tells of runs that have ended here without another one in their place. */
  tell(): void {
    this.#rests.tell((limit) => this.#claiming.has(limit))
  }

  /** Resolves when no claim is under way any more. None is begun from now on. */
  async close(): Promise<void> {
    this.#rests.close()
    await Promise.all([...this.#claiming.values()].map(({ ended }) => ended))
  }

  async #claim(limit: string, asked: readonly LaneAsk[]): Promise<void> {
    const worker = this.#parts.worker()
    this.#rests.asked(limit)
    try {
      const bound = { asks: asked, limit: this.#parts.limits.get(limit)! }
      const { asks, claimed, busy, againInMs } = await claimLimited(this.#postgres, worker, bound)
      this.#failures = 0
      if (busy) this.#rests.reached(limit)
      if (againInMs !== undefined) this.#rests.spent(limit, againInMs)
      this.#parts.took(asks, claimed)
      this.#claiming.delete(limit)
      this.#parts.start(worker, claimed)
    } catch (error) {
      this.#claiming.delete(limit)
      this.#rests.spent(limit, backoffMs(++this.#failures, retry))
      this.#parts.failed(error)
    }
    this.#parts.again()
  }
}
