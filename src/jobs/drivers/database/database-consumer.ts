import { AsyncLocalStorage } from 'node:async_hooks'
import { backoffMs } from '../../../core/backoff.ts'
import { isPlimsollError } from '../../../core/errors.ts'
import { readTexts, type Postgres, type PostgresOptions } from '../../../postgres/index.ts'
import { type ConsumeOptions, type Consumer, type JobProgress, type LeasedJob, type Outcome } from '../../contract.ts'
import type { LatestProgress } from '../latest-progress.ts'
import { nextLookMs } from '../lease-times.ts'
import { Suspects } from '../suspects.ts'
import type { Bulletin } from './bulletin.ts'
import { claim, takenOf } from './claims.ts'
import { endsWithin } from './ends-within.ts'
import { ExpiredJobs } from './expired-jobs.ts'
import { toNotice, type ClaimedJob, type LaneNotice } from './job-rows.ts'
import { LaneBook, suspicionOf, type Lane, type LaneAsk, type Planned } from './lanes.ts'
import { Lease } from './leases.ts'
import { LimitedClaims } from './limited-claims.ts'
import { databaseProgress } from './progress.ts'
import { Promotions } from './promotions.ts'
import { Settlements, type SettledRun } from './settlements.ts'
import { recover } from './recover.ts'
import { SideTurns, type AdoptedJob, type SideLane } from './side-lane.ts'
import { activeOf, cancelledOf, findLanes } from './statements.ts'

/** Each so many looks is one at everything: it walks over all that was, while a transaction elsewhere stays open. */
const wholeLook = 16
/** How long a database that does not answer is waited for at the end. */
const lastMs = 5000
const retry = { firstMs: 100, mostMs: 5000 }

/** Takes jobs from the tables: as they are announced, and now and then for what nobody could announce. */
export class DatabaseConsumer implements Consumer {
  readonly #postgres: Postgres
  readonly #bulletin: Bulletin
  readonly #options: ConsumeOptions
  readonly #lanes = new LaneBook()
  readonly #lease: Lease
  readonly #settlements: Settlements
  readonly #progress: LatestProgress
  readonly #promotions: Promotions
  readonly #expired: ExpiredJobs
  readonly #side: SideLane | undefined
  readonly #turns: SideTurns | undefined
  readonly #queues: ReadonlyMap<string, number>
  readonly #leaseMs: number
  readonly #outside = AsyncLocalStorage.snapshot()
  readonly #running = new Map<string, ClaimedJob>()
  readonly #runningOf = new Map<string, number>()
  readonly #limited: LimitedClaims
  readonly #suspects = new Suspects(() => this.#fill())
  #filling: Promise<void> | undefined
  #again = false
  #woken = false
  #check = false
  #looks = 0
  #reported = ''
  #failures = 0
  #paused = false
  #closing: Promise<void> | undefined
  #unread = (): void => {}
  #lookTimer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()

  constructor(
    postgres: Postgres,
    parts: {
      readonly bulletin: Bulletin
      readonly options: ConsumeOptions
      readonly heartbeat: PostgresOptions | undefined
      readonly leaseMs: number
      readonly side?: SideLane | undefined
    },
  ) {
    const { bulletin, options, heartbeat, leaseMs } = parts
    this.#side = parts.side
    this.#turns = parts.side && new SideTurns(parts.side, () => this.#fill())
    this.#postgres = postgres
    this.#bulletin = bulletin
    this.#options = options
    this.#queues = new Map(options.queues.map(({ name, concurrency }) => [name, concurrency]))
    this.#limited = new LimitedClaims(postgres, {
      limits: options.limits,
      worker: () => this.#lease.worker,
      took: (asks, claimed) => this.#took(asks, claimed),
      start: (worker, claimed) => this.#start(worker, claimed),
      failed: (error) => this.#failed(error),
      again: () => this.#fill(),
      tell: (limit) => bulletin.freed(limit),
    })
    this.#settlements = new Settlements(postgres, bulletin)
    this.#leaseMs = leaseMs
    this.#lease = new Lease(postgres, {
      options: heartbeat,
      leaseMs,
      lost: () => this.#lost(),
      back: () => this.#fill(),
      mostMs: options.mostRunMs,
    })
    this.#progress = databaseProgress(postgres, { bulletin, worker: () => this.#lease.worker })
    this.#expired = new ExpiredJobs(postgres)
    this.#promotions = new Promotions(postgres, { bulletin, mostMs: leaseMs / 2 })
  }

  /** The id that this process takes jobs under; empty while it has none. */
  get worker(): string {
    return this.#lease.worker
  }

  /** A run of the side lane is from now on one of those in the tables. False when their lease was lost meanwhile. */
  adopt(worker: string, { job, laneId, seq, watched }: AdoptedJob): boolean {
    if (worker !== this.#lease.worker) return false
    this.#running.set(job.id, { job, laneId, seq, watched, limit: undefined })
    this.#runningOf.set(job.queue, (this.#runningOf.get(job.queue) ?? 0) + 1)
    if (watched) this.#bulletin.changed([job.id])
    return true
  }

  /** The side lane has jobs at hand, or room: what it says in one turn of the event loop is heard once, after all else that turn has. */
  wake(): void {
    if (this.#woken) return
    this.#woken = true
    setImmediate(() => {
      this.#woken = false
      this.#fill()
    })
  }

  async open(): Promise<void> {
    await this.#lease.open()
  }

  async start(): Promise<void> {
    this.#unread = this.#bulletin.read({
      ready: (notice) => this.#note([notice]),
      delayed: (inMs) => this.#promotions.promoteIn(inMs),
      cancelled: (ids) => this.#cancelled(ids),
      freed: (limit) => this.#limited.freed(limit),
    })
    await this.#look()
    this.#lookLater()
    this.#expired.start()
  }

  settle(job: LeasedJob, outcome: Outcome): Promise<boolean> {
    const known = this.#running.get(job.id)
    if (known?.job !== job) return Promise.resolve(false)
    this.#free(known)
    const run = { id: job.id, seq: known.seq, progress: this.#progress.take(job) }
    const settled = this.#settlements.settle(this.#lease.worker, run, outcome)
    void settled.then(() => {
      this.#suspects.ended(job)
      this.#limited.ended(known.limit)
      this.#fill()
    })
    return settled
  }

  progress(job: LeasedJob, progress: JobProgress): void {
    if (this.#running.get(job.id)?.job === job) this.#progress.tell(job, progress)
  }

  async pause(): Promise<void> {
    this.#paused = true
    this.#unread()
    clearTimeout(this.#lookTimer)
    this.#expired.stop()
    await endsWithin(
      Promise.all([this.#filling, this.#limited.close(), this.#promotions.stop(), this.#looking]),
      lastMs,
    )
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.pause()
    for (const { job } of this.#running.values()) void this.settle(job, { state: 'released' })
    await this.#settlements.close(lastMs)
    await this.#lease.close()
  }

  #note(notices: readonly LaneNotice[]): void {
    let ours = false
    for (const { lane, seq } of notices) {
      if (!this.#queues.has(lane.queue)) continue
      this.#lanes.note(lane, seq)
      ours = true
    }
    if (ours) this.#fill()
  }

  /** Takes jobs for as long as there is room and something to take. */
  #fill(): void {
    if (this.#paused) return
    if (this.#filling !== undefined) {
      this.#again = true
      return
    }
    const fill = async (): Promise<void> => {
      do {
        this.#again = false
        try {
          if (this.#check && this.#limited.size === 0) await this.#checkRuns()
          await this.#takeAll()
          this.#limited.tell()
          this.#failures = 0
        } catch (error) {
          // It is asked again; what is there is still there when the database is back.
          if (isPlimsollError(error, 'PLIMSOLL_DATABASE_CLOSED')) break
          this.#failed(error)
          await new Promise((resolve) => setTimeout(resolve, backoffMs(++this.#failures, retry)))
          this.#again = true
        }
      } while (this.#again && !this.#paused)
      this.#filling = undefined
    }
    this.#filling = this.#outside(fill)
  }

  /**
   * Hands back what is ours by the tables and does not run here: the answer to its claim was lost. Not while a claim is under way, and what
   * is being settled is left to that.
   */
  async #checkRuns(): Promise<void> {
    const { worker } = this.#lease
    if (worker === '') return
    const active = await readTexts(this.#postgres, activeOf, [worker])
    this.#check = false
    this.#cancelled(active.filter(([, , cancel]) => cancel === 't').map(([id]) => id!))
    for (const [id, seq] of active) {
      const run = { id: id!, seq: BigInt(seq!) }
      if (!this.#knows(run)) void this.#settlements.settle(worker, run, { state: 'released' })
    }
  }

  /** True for a run that is under way here, or about to be stored. */
  #knows(run: SettledRun): boolean {
    const { id, seq } = run
    return this.#running.get(id)?.seq === seq || this.#settlements.has(run) || this.#side?.has(id) === true
  }

  async #takeAll(): Promise<void> {
    while (!this.#paused && this.#lease.worker !== '') {
      const room = this.#room()
      if (room <= 0) return
      const planned = this.#lanes.plan(room, (lane, planned) => this.#open(lane, planned))
      if (this.#beginSide(planned)) continue
      const asks = this.#turns === undefined ? planned : await this.#turns.allowed(planned)
      if (planned.length === 0) return
      // Others have the room of those that have to wait.
      if (asks.length < planned.length) continue
      this.#limited.begin(asks.filter(({ lane }) => this.#limited.bounds(lane)))
      const plain = asks.filter(({ lane }) => !this.#limited.bounds(lane))
      if (plain.length > 0) await this.#take(plain)
    }
  }

  /** Begins jobs of the side lane when it is their turn; in queues that have lanes of a priority above 0 it is not. */
  #beginSide(before: readonly LaneAsk[]): boolean {
    if (this.#turns === undefined) return false
    const above = this.#lanes.queuesAbove0((lane, planned) => this.#open(lane, planned))
    const open = (queue: string): number => (above.has(queue) ? 0 : this.#openOf(queue))
    const begun = this.#turns.begin(this.#room(), { before, open })
    if (begun) this.#lease.began()
    return begun
  }

  async #take(asks: readonly LaneAsk[]): Promise<void> {
    const { worker } = this.#lease
    const claimed = await claim(this.#postgres, worker, asks)
    this.#took(asks, claimed)
    this.#start(worker, claimed)
  }

  #took(asks: readonly LaneAsk[], claimed: readonly ClaimedJob[]): void {
    for (const ask of asks) this.#lanes.took(ask, takenOf(ask, claimed))
  }

  #start(worker: string, claimed: readonly ClaimedJob[]): void {
    for (const one of claimed.toSorted((a, b) => (a.seq < b.seq ? -1 : 1))) {
      const { job, seq } = one
      const run = { id: job.id, seq }
      // The claim before was undone by a crash of the server, or somebody had given up the broker's message of it.
      if (this.#knows(run)) continue
      // The lease was lost while the claim was under way, or this worker ends.
      if (worker !== this.#lease.worker || this.#paused) {
        void this.#settlements.settle(worker, run, { state: 'released' })
        continue
      }
      this.#running.set(job.id, one)
      this.#runningOf.set(job.queue, (this.#runningOf.get(job.queue) ?? 0) + 1)
      if (suspicionOf(one.laneId) !== 'none') this.#suspects.began(job)
      this.#options.take(job)
    }
    this.#lease.began()
    this.#bulletin.changed(claimed.filter(({ watched }) => watched).map(({ job }) => job.id))
  }

  #free(one: ClaimedJob): void {
    const { id, queue } = one.job
    this.#running.delete(id)
    this.#runningOf.set(queue, this.#runningOf.get(queue)! - 1)
    this.#fill()
  }

  /** Whether jobs were taken is unknown when the answer was lost. */
  #failed(error: unknown): void {
    this.#check = true
    this.#report(error)
  }

  /** An outage passes; anything else would go unnoticed. */
  #report(error: unknown): void {
    const passes = ['PLIMSOLL_DATABASE_UNREACHABLE', 'PLIMSOLL_DATABASE_CLOSED'] as const
    const text = String(error)
    if (text === this.#reported || passes.some((code) => isPlimsollError(error, code))) return
    this.#reported = text
    process.emitWarning(`Jobs cannot be taken from the database now: ${text}`, 'PlimsollWarning')
  }

  /** How many jobs of a lane may begin now. */
  #open(lane: Lane, { ofQueue, alike }: Planned): number {
    if (!this.#queues.has(lane.queue) || this.#turns?.isOpen(lane) === false) return 0
    // While it is looked for claims whose answers were lost, none is begun beside that.
    if (this.#limited.bounds(lane) && (this.#check || !this.#limited.isOpen(lane.limit!))) return 0
    const suspicion = suspicionOf(lane.id)
    const coming = this.#limited.coming(({ id }) => suspicionOf(id) === suspicion)
    return Math.min(this.#openOf(lane.queue) - ofQueue, this.#suspects.open(suspicion) - coming - alike)
  }

  #openOf(queue: string): number {
    const side = this.#side?.runningOf(queue) ?? 0
    const coming = this.#limited.coming((lane) => lane.queue === queue)
    return (this.#queues.get(queue) ?? 0) - (this.#runningOf.get(queue) ?? 0) - side - coming
  }

  /** What has run is not taken for gone before it is stored: a database that is slow would be handed more and more. */
  #room(): number {
    const { concurrency } = this.#options
    const running = this.#running.size + (this.#side?.running ?? 0) + this.#limited.coming()
    const storing = this.#settlements.size + (this.#side?.storing ?? 0)
    return Math.min(concurrency - running, 2 * concurrency - running - storing)
  }

  #lost(): void {
    const ids = [...this.#running.keys()]
    for (const one of this.#running.values()) {
      this.#free(one)
      this.#progress.take(one.job)
      this.#suspects.ended(one.job)
    }
    this.#options.lost(ids)
  }

  #cancelled(ids: readonly string[]): void {
    const ours = ids.filter((id) => this.#running.has(id))
    if (ours.length > 0) this.#options.cancelled(ours)
  }

  #lookLater(): void {
    if (this.#paused) return
    const look = (): void => void this.#look().finally(() => this.#lookLater())
    this.#lookTimer = setTimeout(look, nextLookMs(this.#leaseMs))
    this.#lookTimer.unref()
  }

  /** Looks for everything that somebody should have told of. */
  #look(): Promise<void> {
    const look = async (): Promise<void> => {
      try {
        const whole = this.#looks++ % wholeLook === 0
        await this.#lease.refresh()
        const ended = await recover(this.#postgres, this.#bulletin, this.#leaseMs)
        if (ended.length > 0) this.#options.ended(ended)
        await this.#lookForLanes(whole)
        this.#fill()
        await this.#promotions.promote({ whole })
      } catch (error) {
        // The next look comes soon.
        this.#report(error)
      }
    }
    this.#looking = look()
    return this.#looking
  }

  async #lookForLanes(whole: boolean): Promise<void> {
    const known = this.#lanes.look()
    const { lanes, marks } = whole ? { lanes: [], marks: [] } : known
    this.#note((await readTexts(this.#postgres, findLanes, [lanes, marks])).map(toNotice))
    if (whole) this.#check = true
    else if (this.#running.size > 0) {
      const runs = [this.#lease.worker, [...this.#running.keys()]]
      this.#cancelled((await readTexts(this.#postgres, cancelledOf, runs)).map(([id]) => id!))
    }
  }
}
