import { backoffMs } from '../../../core/backoff.ts'
import { isPlimsollError } from '../../../core/errors.ts'
import { events } from '../../../core/events.ts'
import {
  mostDeaths,
  type ConsumeOptions,
  type Consumer,
  type JobProgress,
  type LeasedJob,
  type Outcome,
} from '../../contract.ts'
import { endsWithin } from '../database/ends-within.ts'
import { LatestProgress, type ProgressTexts } from '../latest-progress.ts'
import { nextLookMs } from '../lease-times.ts'
import { publishDeath } from '../publish-death.ts'
import { Suspects } from '../suspects.ts'
import { workerDied } from '../worker-died.ts'
import { toTaken, type TakenJob } from './job-fields.ts'
import { Lease } from './leases.ts'
import type { News } from './news.ts'
import type { RedisAnswer, RedisLink } from './redis-link.ts'
import type { RedisAddress } from './redis-source.ts'
import { claimJobs } from './scripts/claim.ts'
import { reconcile, sweep } from './scripts/lease.ts'
import { storeProgress } from './scripts/settle.ts'
import { Settlements } from './settlements.ts'

/** A timer can be early by the clock of Redis. */
const slackMs = 2
const retry = { firstMs: 50, mostMs: 2000 }
/** How long a Redis that does not answer is waited for at the end. */
const lastMs = 5000

/** The parts of {@link RedisConsumer}. */
interface ConsumerParts {
  readonly link: RedisLink
  readonly address: RedisAddress
  readonly news: News
  readonly options: ConsumeOptions
  /** How long a process is taken for alive after its last heartbeat. */
  readonly leaseMs: number
}

/** A job whose worker has died: its id, name and queue, and whether it is in quarantine now, or was cancelled before. */
type Death = readonly [string, string, string, number, number]

/** Takes jobs from Redis: as they are announced, and now and then for what was missed. */
export class RedisConsumer implements Consumer {
  readonly #link: RedisLink
  readonly #news: News
  readonly #options: ConsumeOptions
  readonly #lease: Lease
  readonly #leaseMs: number
  readonly #settlements: Settlements
  readonly #queues: ReadonlyMap<string, number>
  readonly #limits: string
  readonly #running = new Map<string, TakenJob>()
  readonly #runningOf = new Map<string, number>()
  readonly #progress = new LatestProgress((latest) => this.#storeProgress(latest))
  /** Whose turn comes first. */
  #turn = 0
  /** The queues that may have something: nothing was left in the others the last time, and nobody has told of more since. */
  readonly #more = new Set<string>()
  /** True when jobs may have been taken whose answer was lost. */
  #unsure = false
  readonly #suspects = new Suspects(() => this.#wake())
  #filling: Promise<void> | undefined
  #looking: Promise<void> = Promise.resolve()
  #failures = 0
  #paused = false
  #closing: Promise<void> | undefined
  #since: string | undefined
  #unread = (): void => {}
  #lookTimer: NodeJS.Timeout | undefined
  #dueTimer: NodeJS.Timeout | undefined
  #dueAt = Number.POSITIVE_INFINITY

  constructor({ link, address, news, options, leaseMs }: ConsumerParts) {
    this.#link = link
    this.#news = news
    this.#options = options
    this.#leaseMs = leaseMs
    this.#queues = new Map(options.queues.map(({ name, concurrency }) => [name, concurrency]))
    this.#limits = limitsText(options)
    this.#settlements = new Settlements(link, () => this.#wake())
    this.#lease = new Lease(link, { address, leaseMs, lost: () => this.#lost(), mostMs: options.mostRunMs })
  }

  async open(): Promise<void> {
    await this.#lease.open()
    this.#since = this.#lease.since
  }

  async start(): Promise<void> {
    this.#unread = this.#news.read({
      ready: (queue) => this.#queues.has(queue) && this.#wake([queue]),
      delayed: (inMs) => this.#wakeIn(inMs),
      cancelled: (id) => this.#running.has(id) && this.#options.cancelled([id]),
      missed: () => this.#wake(),
    })
    await this.#look()
    this.#lookLater()
  }

  settle(job: LeasedJob, outcome: Outcome): Promise<boolean> {
    const taken = this.#running.get(job.id)
    const { worker } = this.#lease
    if (taken?.job !== job || worker === '') return Promise.resolve(false)
    this.#free(taken)
    const settled = this.#settlements.settle(worker, { ...taken, progress: this.#progress.take(job) }, outcome)
    this.#fill()
    void settled.then(() => this.#cleared(taken))
    return settled
  }

  progress(job: LeasedJob, progress: JobProgress): void {
    if (this.#running.get(job.id)?.job === job) this.#progress.tell(job, progress)
  }

  async pause(): Promise<void> {
    this.#paused = true
    this.#unread()
    clearTimeout(this.#lookTimer)
    clearTimeout(this.#dueTimer)
    await endsWithin(Promise.all([this.#filling, this.#looking]), lastMs)
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

  #wake(queues: Iterable<string> = this.#queues.keys()): void {
    for (const queue of queues) this.#more.add(queue)
    this.#fill()
  }

  #wakeIn(delayMs: number): void {
    const at = performance.now() + delayMs
    if (this.#paused || at >= this.#dueAt) return
    clearTimeout(this.#dueTimer)
    this.#dueAt = at
    const wake = (): void => {
      this.#dueAt = Number.POSITIVE_INFINITY
      this.#wake()
    }
    this.#dueTimer = setTimeout(wake, Math.min(delayMs + slackMs, 2 ** 31 - 1))
    this.#dueTimer.unref()
  }

  /** Takes jobs for as long as there is room and something to take. */
  #fill(): void {
    if (this.#paused || this.#filling !== undefined || this.#wanted().length === 0) return
    const fill = async (): Promise<void> => {
      // What ends in this turn of the event loop makes room for one call.
      await new Promise((resolve) => setImmediate(resolve))
      while (!this.#paused && this.#wanted().length > 0) {
        try {
          await this.#take()
          this.#failures = 0
        } catch (error) {
          this.#unsure = true
          for (const queue of this.#queues.keys()) this.#more.add(queue)
          if (!isPlimsollError(error, 'PLIMSOLL_JOBS_UNREACHABLE') && this.#failures === 0)
            process.emitWarning(`Jobs cannot be taken from Redis: ${String(error)}`, 'PlimsollWarning')
          await new Promise((resolve) => setTimeout(resolve, backoffMs(++this.#failures, retry)))
        }
      }
      this.#filling = undefined
    }
    this.#filling = fill()
  }

  async #take(): Promise<void> {
    if (this.#unsure) await this.#reconcile()
    const { worker } = this.#lease
    const room = this.#room()
    const at = this.#turn++
    const wanted = this.#wanted()
    if (wanted.length === 0) return
    const asked = [...wanted.slice(at % wanted.length), ...wanted.slice(0, at % wanted.length)]
    this.#settlements.send()
    // Whoever tells of more while this is under way is heard.
    for (const [queue] of asked) this.#more.delete(queue)
    const suspects = [this.#suspects.open('suspect'), this.#suspects.open('prime')]
    const answer = await this.#link.run(claimJobs, [worker, room, ...suspects, this.#limits, ...asked.flat()])
    if (answer === null) return this.#lease.lose(worker)
    const [dueInMs, againInMs, jobs] = answer as readonly [number, number, readonly (readonly RedisAnswer[])[]]
    if (dueInMs >= 0) this.#wakeIn(dueInMs)
    if (againInMs >= 0) this.#wakeIn(againInMs)
    const taken = jobs.map(toTaken)
    for (const [queue, most] of asked) {
      const count = taken.filter(({ job }) => job.queue === queue).length
      if (count === most || taken.length === room) this.#more.add(queue)
    }
    // Whoever has enqueued them here learns of that first: their answer has come before this one.
    if (taken.length > 0) await new Promise((resolve) => setImmediate(resolve))
    for (const one of taken) this.#start(worker, one)
    this.#lease.began()
  }

  #start(worker: string, taken: TakenJob): void {
    // The lease was lost while the answer was under way: others will take it.
    if (worker !== this.#lease.worker) return
    const { job } = taken
    // The claim before has gone with the last moments of a Redis that was killed, and the run has not, or is about to be stored.
    const running = this.#running.get(job.id)
    if (running !== undefined) return void this.#running.set(job.id, { ...taken, job: running.job })
    if (this.#settlements.has(worker, taken)) return
    if (this.#paused) {
      void this.#settlements.settle(worker, taken, { state: 'released' })
      return
    }
    this.#running.set(job.id, taken)
    this.#runningOf.set(job.queue, (this.#runningOf.get(job.queue) ?? 0) + 1)
    if (job.deaths > 0) this.#suspects.began(job)
    this.#options.take(job)
  }

  #free({ job }: TakenJob): void {
    this.#running.delete(job.id)
    this.#runningOf.set(job.queue, this.#runningOf.get(job.queue)! - 1)
  }

  /** What has come of a run is stored: it will not count as killed with this process. */
  #cleared({ job }: TakenJob): void {
    this.#suspects.ended(job)
    if (job.deaths > 0) this.#wake()
    else this.#fill()
  }

  /** What has run is not taken for gone before it is stored: a Redis that is slow would be handed more and more. */
  #room(): number {
    const { concurrency } = this.#options
    return Math.min(concurrency - this.#running.size, 2 * concurrency - this.#running.size - this.#settlements.size)
  }

  /** The queues that may have something and have room, each with how much. */
  #wanted(): (readonly [queue: string, most: number])[] {
    if (this.#more.size === 0 || this.#lease.worker === '' || this.#room() <= 0) return []
    return [...this.#more]
      .map((queue) => [queue, this.#queues.get(queue)! - (this.#runningOf.get(queue) ?? 0)] as const)
      .filter(([, most]) => most > 0)
  }

  #lost(runs: readonly TakenJob[] = [...this.#running.values()]): void {
    for (const taken of runs) {
      this.#free(taken)
      this.#progress.take(taken.job)
      this.#suspects.ended(taken.job)
    }
    this.#options.lost(runs.map(({ job }) => job.id))
  }

  #lookLater(): void {
    if (this.#paused) return
    const look = (): void => void this.#look().finally(() => this.#lookLater())
    this.#lookTimer = setTimeout(look, nextLookMs(this.#leaseMs))
    this.#lookTimer.unref()
  }

  /** Looks for everything that somebody should have told of, and for leases of processes that have died. */
  #look(): Promise<void> {
    const look = async (): Promise<void> => {
      try {
        await this.#lease.refresh()
        let forgotten
        do {
          const [died, count, since] = (await this.#link.run(sweep, [
            mostDeaths,
            workerDied,
            this.#leaseMs,
          ])) as readonly [readonly Death[], number, string | null]
          forgotten = count
          this.#tellDeaths(died)
          if (since !== this.#since) await this.#emptied(since)
        } while (forgotten > 0 && !this.#paused)
        await this.#reconcileAlone()
      } catch {
        // The next look comes soon.
      }
      this.#wake()
    }
    this.#looking = look()
    return this.#looking
  }

  #tellDeaths(died: readonly Death[]): void {
    for (const [id, name, queue, quarantined] of died) publishDeath({ id, name, queue, quarantined: quarantined === 1 })
    const ended = died.filter(([, , , quarantined, cancelled]) => quarantined === 1 || cancelled === 1)
    if (ended.length > 0) this.#options.ended(ended.map(([id]) => id))
  }

  /** Redis has other data than at the start: somebody has emptied it, or it has come back without what it had. */
  async #emptied(since: string | null): Promise<void> {
    // The lease may be of the new data already: its loss was noticed first, and what runs now was taken under the new one.
    if (since !== this.#lease.since) await this.#lease.lose(this.#lease.worker)
    this.#since = this.#lease.since
    if (events.hasSubscribers) events.publish({ type: 'job.loss', engine: 'redis' })
    process.emitWarning(
      'Redis has lost its jobs: it was emptied, or has started without its data. Those that were enqueued outside of transactions, and those that it had been handed, are gone; what is still in the outbox is handed on.',
      'PlimsollWarning',
    )
  }

  /**
   * Nothing is taken meanwhile: a script that Redis does not know is sent a second time, and would then hand back what a claim has taken
   * since. What is being taken now is left to the next claim.
   */
  async #reconcileAlone(): Promise<void> {
    if (this.#filling !== undefined) {
      this.#unsure = true
      return
    }
    const reconcile = async (): Promise<void> => {
      // It is done again when it fails.
      await this.#reconcile().catch(ignore)
      this.#filling = undefined
    }
    this.#filling = reconcile()
    await this.#filling
  }

  /**
   * Hands back what was taken without our learning of it, and ends the runs of what was cancelled, and of what others have: a Redis that was
   * killed may have forgotten our claim.
   */
  async #reconcile(): Promise<void> {
    const { worker } = this.#lease
    if (worker === '') return
    this.#unsure = false
    try {
      const known = [...this.#running.values(), ...this.#settlements.of(worker)]
      const values = known.flatMap(({ job, epoch }) => [job.id, epoch])
      const answer = await this.#link.run(reconcile, [worker, ...values])
      const [cancelled, gone] = answer as readonly (readonly string[])[]
      if (cancelled!.length > 0) this.#options.cancelled(cancelled!)
      // What has ended meanwhile is for its settlement to tell of.
      const lost = known.filter((taken) => gone!.includes(taken.job.id) && this.#running.get(taken.job.id) === taken)
      if (lost.length > 0) this.#lost(lost)
    } catch (error) {
      this.#unsure = true
      throw error
    }
  }

  async #storeProgress(latest: ProgressTexts): Promise<void> {
    const values = [...latest].flatMap(([{ id }, text]) => [id, this.#running.get(id)!.epoch, text])
    await this.#link.run(storeProgress, [this.#lease.worker, ...values])
  }
}

function limitsText({ limits }: ConsumeOptions): string {
  const bounds = [...limits].map(([name, { concurrency, rate }]) => [
    name,
    { concurrency, ...(rate && { count: rate.count, perMs: rate.perMs }) },
  ])
  return JSON.stringify(Object.fromEntries(bounds))
}

function ignore(): void {}
