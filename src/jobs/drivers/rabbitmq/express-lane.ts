import type { Postgres } from '../../../postgres/index.ts'
import type { ConsumeOptions, JobProgress, LeasedJob, Outcome } from '../../contract.ts'
import type { Bulletin } from '../database/bulletin.ts'
import type { DatabaseConsumer } from '../database/database-consumer.ts'
import type { OpenOf, SideLane } from '../database/side-lane.ts'
import { askUntil } from './ask-until.ts'
import type { Delivery } from './broker-reader.ts'
import { toRun, type ExpressRun } from './express-run.ts'
import { FinishedRuns } from './finished-runs.ts'
import { adoptRuns, forgetRecalled, queuesWithHanded, returnJobs } from './handed-jobs.ts'
import { readOurs } from './messages.ts'
import { Recalls } from './recalls.ts'
import { Shelf, type DeliveredJob, type DeliveredMessage } from './shelf.ts'
import { Withheld } from './withheld.ts'

/** A run that lasts longer goes into the books: a shorter one costs the database one statement less. */
const adoptMs = 20
/** What is here for longer without a chance to begin is given to whoever has room. */
const stuckMs = 2000
/** How long the credit of what was given away is kept, so that no more comes. The broker takes a channel away after half an hour. */
const withholdMs = 600_000
/** Whoever has taken a job back has said so in the tables by then, or never will. */
const voidMs = 1000
const lastMs = 5000
/** No more begin while so many wait to be stored: two statements under way and two that are full. */
const mostStoring = 2000

/** The parts of {@link ExpressLane}. */
interface ExpressLaneParts {
  readonly postgres: Postgres
  readonly bulletin: Bulletin
  readonly options: ConsumeOptions
  readonly acknowledge: (channel: number, tags: readonly number[]) => void
  /** How many jobs of a queue are kept here while others may have room for them. */
  readonly mostHere: (queue: string) => number
  /** Told when runs have begun, which may block the event loop from now on. */
  readonly began: () => void
}

/**
 * Runs what the broker delivers, without asking the database first. A run that is done at once is stored as such; one that lasts, or
 * comes to anything else, is put into the tables, and is from then on like any other. Only then is its message acknowledged.
 */
export class ExpressLane implements SideLane {
  readonly storing = 0
  readonly #parts: ExpressLaneParts
  readonly #shelves = new Map<string, Shelf>()
  readonly #runs = new Map<string, ExpressRun>()
  readonly #runningOf = new Map<string, number>()
  readonly #recalls: Recalls
  /** What may be void, until the table has answered. */
  readonly #unsure = new Shelf()
  readonly #finished: FinishedRuns
  /** Deliveries of jobs that somebody has taken back. */
  readonly #voided = new Shelf()
  readonly #withheld = new Withheld()
  #consumer!: DatabaseConsumer
  #adopting: { readonly runs: ExpressRun[]; readonly ours: Promise<ReadonlySet<string>> } | undefined
  #adoptTimer: NodeJS.Timeout | undefined
  #stuckTimer: NodeJS.Timeout | undefined
  #turn = 0
  #closed = false

  constructor(parts: ExpressLaneParts) {
    this.#parts = parts
    this.#recalls = new Recalls(parts.postgres)
    for (const { name } of parts.options.queues) this.#shelves.set(name, new Shelf())
    this.#finished = new FinishedRuns(parts.postgres, {
      worker: () => this.#consumer.worker,
      stored: (jobs, watched) => {
        this.#acknowledge(jobs.map(({ delivered }) => delivered))
        this.#parts.bulletin.ended(watched)
      },
      room: () => this.#consumer.wake(),
      apart: ({ delivered, outcome, ranMs, resolve }) => {
        const run = toRun(delivered, performance.now() - ranMs)
        this.#runs.set(run.job.id, run)
        this.#count(run.job.queue, 1)
        return this.settle(run.job, outcome, true)!.then(resolve)
      },
    })
  }

  get running(): number {
    return this.#runs.size
  }

  runningOf(queue: string): number {
    return this.#runningOf.get(queue) ?? 0
  }

  has(id: string): boolean {
    return this.#runs.has(id)
  }

  /** Those of the jobs that are here, and of which nothing is stored yet. */
  here(ids: readonly string[]): readonly string[] {
    const waiting = new Set([...this.#shelves.values(), this.#unsure].flatMap((shelf) => shelf.ids))
    return ids.filter((id) => waiting.has(id) || this.#runs.has(id) || this.#finished.has(id))
  }

  /** Whose books they are put into. */
  attach(consumer: DatabaseConsumer): void {
    this.#consumer = consumer
    this.#stuckTimer = setInterval(() => this.#giveAway(), stuckMs / 2)
    this.#stuckTimer.unref()
  }

  arrived(channel: number, deliveries: readonly Delivery[]): void {
    const again: DeliveredJob[] = []
    const elsewhere: DeliveredJob[] = []
    const unsure: DeliveredJob[] = []
    const arrivedAt = performance.now()
    for (const [tag, isAgain, content] of deliveries) {
      const jobs = readOurs(content)
      if (jobs.length === 0) this.#parts.acknowledge(channel, [tag])
      const message = { channel, tag, left: jobs.length }
      for (const job of jobs) {
        const delivered = { job, message, arrivedAt }
        const shelf = this.#shelves.get(job.queue)
        if (this.#isOurs(delivered)) continue
        if (isAgain) again.push(delivered)
        else if (shelf === undefined) elsewhere.push(delivered)
        else if (this.#recalls.mayBeVoid(job.id)) unsure.push(delivered)
        else shelf.put(delivered)
      }
    }
    // Whoever had it has died, or was cut off: what has become of it is in the books, if anything has.
    if (again.length > 0) void this.#return(again, { suspect: true })
    if (elsewhere.length > 0) void this.#return(elsewhere)
    if (unsure.length > 0) void this.#ask(unsure)
    this.#consumer.wake()
  }

  /** What came over this channel comes again: what has begun is put into the books at once, the rest waits in the tables. */
  lost(channel: number): void {
    const back = this.#remove(({ message }) => message.channel <= channel)
    this.#withheld.drop(channel)
    this.#voided.remove(({ message }) => message.channel <= channel)
    if (back.length > 0) void this.#return(back)
    void this.flush()
  }

  /** These messages are void, or will be in a moment: what runs of them is put into the books, if it still may. */
  recall(ids: readonly string[]): void {
    this.#recalls.tell(ids)
    for (const id of ids) {
      const run = this.#runs.get(id)
      if (run !== undefined) void this.#adopt(run)
    }
    for (const shelf of this.#shelves.values())
      for (const delivered of shelf.remove(({ job }) => this.#recalls.wasTold(job.id))) this.#void(delivered)
  }

  /** Looks which messages are void of those that are here: nobody may have told. */
  async look(): Promise<void> {
    await this.#recalls.look()
    const here = [...this.#runs.keys(), ...[...this.#shelves.values()].flatMap(({ ids }) => ids)]
    const unsure = here.filter((id) => this.#recalls.mayBeVoid(id))
    if (unsure.length > 0) this.recall([...(await this.#recalls.among(unsure))])
  }

  ready(open: OpenOf): boolean {
    if (this.#finished.size >= mostStoring) return false
    for (const [queue, shelf] of this.#shelves) if (shelf.size > 0 && open(queue) > 0) return true
    return false
  }

  begin(most: number, open: OpenOf): number {
    if (this.#finished.size >= mostStoring) return 0
    const queues = [...this.#shelves]
    const at = this.#turn++ % queues.length
    let begun = 0
    for (let i = 0; i < queues.length && begun < most; i++) {
      const [queue, shelf] = queues[(at + i) % queues.length]!
      const count = Math.min(most - begun, open(queue))
      if (count <= 0 || shelf.size === 0) continue
      for (const delivered of shelf.take(count)) {
        if (this.#isOurs(delivered)) continue
        this.#begin(delivered)
        begun++
      }
    }
    if (begun > 0) this.#parts.began()
    // There is room for more than is here.
    if (begun < most && this.#withheld.size > 0) this.#release(0)
    return begun
  }

  busy(queues: readonly string[]): Promise<ReadonlySet<string>> {
    return queuesWithHanded(this.#parts.postgres, queues)
  }

  /** Says what came of a run; undefined when it is none of this lane. */
  settle(job: LeasedJob, outcome: Outcome, apart = false): Promise<boolean> | undefined {
    const run = this.#runs.get(job.id)
    if (run?.job !== job) return undefined
    if (outcome.state !== 'done' || run.adoption !== undefined || apart)
      return this.#adopt(run).then((ours) => ours && this.#consumer.settle(job, outcome))
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#end(run)
    this.#finished.store({ delivered: run, outcome, ranMs: performance.now() - run.beganAt, resolve })
    this.#consumer.wake()
    return promise
  }

  /** Shows how far a run is; false when it is none of this lane. */
  progress(job: LeasedJob, progress: JobProgress): boolean {
    const run = this.#runs.get(job.id)
    if (run?.job !== job) return false
    run.progress = progress
    void this.#adopt(run)
    return true
  }

  /** Resolves when everything that runs here is in the books. */
  async flush(): Promise<void> {
    await Promise.all([...this.#runs.values()].map((run) => this.#adopt(run)))
  }

  /** Gives away what has not begun. */
  async clear(): Promise<void> {
    this.#release(0)
    const left = [...this.#voided.remove(() => true), ...this.#remove(() => true)]
    if (left.length > 0) await this.#return(left)
  }

  /** Ends when everything is in the books, or after a while; the broker delivers again what is not. */
  async close(): Promise<void> {
    clearInterval(this.#stuckTimer)
    clearTimeout(this.#adoptTimer)
    const end = setTimeout(() => (this.#closed = true), lastMs)
    await this.flush()
    await this.#finished.close(lastMs)
    clearTimeout(end)
    this.#closed = true
  }

  /** Another copy of what runs here, or has just ended, is done with when that is in the books. */
  #isOurs(delivered: DeliveredJob): boolean {
    const { id } = delivered.job
    const run = this.#runs.get(id)
    if (run === undefined && !this.#finished.has(id)) return false
    const stored = run === undefined ? this.#finished.stored(id) : this.#adopt(run)
    void stored.then(() => this.#acknowledge([delivered]))
    return true
  }

  /** Takes what has not begun and fits. */
  #remove(fits: (job: DeliveredJob) => boolean): DeliveredJob[] {
    return [...this.#shelves.values(), this.#unsure].flatMap((shelf) => shelf.remove(fits))
  }

  /** What may be void does not begin before the table has said that it is not. */
  async #ask(jobs: readonly DeliveredJob[]): Promise<void> {
    for (const delivered of jobs) this.#unsure.put(delivered)
    const asked = new Set(jobs)
    const recalled = await askUntil(
      () => this.#closed,
      () => this.#recalls.among(jobs.map(({ job }) => job.id)),
    )
    // Others may have been given back meanwhile.
    const here = this.#unsure.remove((delivered) => asked.has(delivered))
    if (recalled === undefined) return
    const back: DeliveredJob[] = []
    for (const delivered of here) {
      const { id, queue } = delivered.job
      if (recalled.has(id)) back.push(delivered)
      else if (this.#recalls.wasTold(id)) this.#void(delivered)
      else this.#shelves.get(queue)!.put(delivered)
    }
    if (back.length > 0) void this.#return(back)
    this.#consumer.wake()
  }

  #begin(delivered: DeliveredJob): void {
    const { job } = delivered
    const run = toRun(delivered, performance.now())
    this.#runs.set(job.id, run)
    this.#count(job.queue, 1)
    this.#adoptTimer ??= setTimeout(() => this.#adoptLasting(), adoptMs).unref()
    this.#parts.options.take(job)
  }

  #end({ job }: ExpressRun): void {
    this.#runs.delete(job.id)
    this.#count(job.queue, -1)
  }

  #count(queue: string, by: number): void {
    this.#runningOf.set(queue, this.runningOf(queue) + by)
  }

  #adoptLasting(): void {
    this.#adoptTimer = undefined
    const before = performance.now() - adoptMs + 1
    for (const run of this.#runs.values()) if (run.beganAt <= before) void this.#adopt(run)
    if (this.#runs.size > 0) this.#adoptTimer = setTimeout(() => this.#adoptLasting(), adoptMs).unref()
  }

  /** Puts a run into the books, with those that are asked for in the same turn of the event loop. */
  #adopt(run: ExpressRun): Promise<boolean> {
    if (run.adoption !== undefined) return run.adoption
    if (this.#adopting === undefined) {
      const runs: ExpressRun[] = []
      const { promise, resolve } = Promise.withResolvers<ReadonlySet<string>>()
      this.#adopting = { runs, ours: promise }
      setImmediate(() => {
        this.#adopting = undefined
        void this.#adoptAll(runs).then(resolve)
      })
    }
    this.#adopting.runs.push(run)
    run.adoption = this.#adopting.ours.then((ours) => ours.has(run.job.id))
    return run.adoption
  }

  /** The ids of those that are ours, and in the books. */
  async #adoptAll(batch: readonly ExpressRun[]): Promise<ReadonlySet<string>> {
    const ours = new Set<string>()
    const rows = await askUntil(
      () => this.#closed,
      async () => {
        const { worker } = this.#consumer
        if (worker === '') return undefined
        const runs = batch.map(({ job, beganAt }) => ({ id: job.id, ranMs: performance.now() - beganAt }))
        return { worker, adopted: await adoptRuns(this.#parts.postgres, worker, runs) }
      },
    )
    const lost: string[] = []
    for (const run of batch) {
      const { job, progress } = run
      const row = rows?.adopted.get(job.id)
      this.#end(run)
      if (row === undefined || !this.#consumer.adopt(rows!.worker, { job, ...row })) {
        lost.push(job.id)
        continue
      }
      ours.add(job.id)
      if (progress !== undefined) this.#consumer.progress(job, progress)
    }
    if (rows !== undefined) this.#acknowledge(batch)
    if (lost.length > 0) this.#parts.options.lost(lost)
    this.#consumer.wake()
    return ours
  }

  /** Has jobs wait in the tables, where everybody may take them. */
  async #return(jobs: readonly DeliveredJob[], { suspect = false, withhold = false } = {}): Promise<void> {
    const ids = jobs.map(({ job }) => job.id)
    const returned = await askUntil(
      () => this.#closed,
      () => returnJobs(this.#parts.postgres, ids, suspect),
    )
    if (returned === undefined) return
    this.#parts.bulletin.ready(returned)
    if (withhold) this.#withheld.add(jobs)
    else this.#acknowledge(jobs)
    const gone = ids.filter((id) => this.#recalls.forget(id))
    if (gone.length > 0) await forgetRecalled(this.#parts.postgres, gone).catch(() => {})
  }

  /** It is not begun; what becomes of it is for whoever has taken it back to say. */
  #void(delivered: DeliveredJob): void {
    this.#voided.put(delivered)
    const end = (): void => {
      const left = this.#voided.remove((one) => one === delivered)
      if (left.length > 0) void this.#return(left)
    }
    setTimeout(end, voidMs).unref()
  }

  #giveAway(): void {
    const stuck = [...this.#shelves].flatMap(([queue, shelf]) => shelf.takeStuck(stuckMs, this.#parts.mostHere(queue)))
    if (stuck.length > 0) void this.#return(stuck, { withhold: true })
    this.#release(withholdMs)
  }

  /** Lets more come for what was given away longer ago than that. */
  #release(ms: number): void {
    this.#acknowledge(this.#withheld.take(ms))
  }

  /** A message is, when all of its jobs are. */
  #acknowledge(jobs: readonly { readonly message: DeliveredMessage }[]): void {
    const tags = new Map<number, number[]>()
    for (const { message } of jobs) {
      if (--message.left > 0) continue
      const { channel, tag } = message
      const known = tags.get(channel)
      if (known === undefined) tags.set(channel, [tag])
      else known.push(tag)
    }
    for (const [channel, list] of tags) this.#parts.acknowledge(channel, list)
  }
}
