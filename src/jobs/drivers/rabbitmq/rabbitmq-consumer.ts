import type { Postgres } from '../../../postgres/index.ts'
import type { ConsumeOptions, Consumer, JobProgress, LeasedJob, Outcome } from '../../contract.ts'
import type { DatabaseConsumer } from '../database/database-consumer.ts'
import type { DatabaseEngine } from '../database/database-engine.ts'
import { Deliveries } from './deliveries.ts'
import { ExpressLane } from './express-lane.ts'
import { cleanAliases } from './aliases.ts'
import { cleanRecalled, cleanRelayed } from './handed-jobs.ts'
import { LostMessages } from './lost-messages.ts'
import type { QueueNames } from './messages.ts'
import type { RabbitmqAddress } from './rabbitmq-address.ts'

/** How often it is looked for what nobody has told of. */
const lookMs = 5000
const cleanMs = 60_000
/** So many of these before it is forgotten what was relayed: when all processes were gone for a day, relays come first. */
const cleansBeforeRelayed = 10
/** How often it is looked for messages that were lost, and how old their jobs are at least, in leases. */
const lostLeases = 2
/** What a queue has been handed for so long, and is not ready there any more, was lost, whatever its readers say. */
const goneMs = 15 * 60_000

/** The parts of {@link RabbitmqConsumer}. */
interface RabbitmqConsumerParts {
  readonly postgres: Postgres
  readonly ledger: DatabaseEngine
  readonly address: RabbitmqAddress
  readonly names: QueueNames
  readonly options: ConsumeOptions
  readonly threaded: boolean
  readonly leaseMs: number
  /** Has jobs of a queue wait in the tables that it was handed longer ago than that. */
  readonly recover: (queue: string, olderThanMs: number) => Promise<void>
  /** Has jobs wait in the tables whose messages may be anywhere. */
  readonly takeBack: (ids: readonly string[]) => Promise<void>
}

/** Runs jobs of the tables, and those that the broker delivers. */
export class RabbitmqConsumer implements Consumer {
  readonly #parts: RabbitmqConsumerParts
  readonly #express: ExpressLane
  readonly #deliveries: Deliveries
  readonly #lost: LostMessages
  #inner!: DatabaseConsumer
  #unread = (): void => {}
  #lookTimer: NodeJS.Timeout | undefined
  #lostTimer: NodeJS.Timeout | undefined
  #cleanTimer: NodeJS.Timeout | undefined
  #cleans = 0
  #pausing: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor(parts: RabbitmqConsumerParts) {
    const { postgres, ledger, options, address, names, threaded, leaseMs, recover, takeBack } = parts
    this.#parts = parts
    const most = new Map(
      options.queues.map(({ name, concurrency }) => [name, mostHere(Math.min(concurrency, options.concurrency))]),
    )
    this.#express = new ExpressLane({
      postgres,
      bulletin: ledger.bulletin,
      options,
      acknowledge: (channel, tags) => this.#deliveries.acknowledge(channel, tags),
      mostHere: (queue) => most.get(queue)!,
      began: () => this.#deliveries.began(),
    })
    this.#lost = new LostMessages(postgres, {
      bulletin: ledger.bulletin,
      afterMs: lostLeases * leaseMs,
      queues: new Set(most.keys()),
      here: (ids) => this.#express.here(ids),
      takeBack,
    })
    this.#deliveries = new Deliveries({
      address,
      queues: [...most].map(([queue, count]) => ({ queue, name: names.of(queue), most: count })),
      dropped: names.dropped,
      // After two of them a connection is given up: a stopped process loses what it was delivered when it loses its lease.
      heartbeatS: Math.max(1, Math.floor(leaseMs / 2500)),
      threaded,
      mostMs: options.mostRunMs,
      arrived: (channel, deliveries) => this.#express.arrived(channel, deliveries),
      lost: (channel) => this.#express.lost(channel),
      missing: (queue) => void recover(queue, 0).catch(ignore),
      empty: (queue, readers) => {
        void recover(queue, goneMs).catch(ignore)
        void this.#lost.look(queue, readers).catch(ignore)
      },
    })
  }

  async open(): Promise<void> {
    const { ledger, options } = this.#parts
    this.#inner = await ledger.consumeBeside(options, this.#express)
    this.#express.attach(this.#inner)
  }

  async start(): Promise<void> {
    const { ledger, leaseMs } = this.#parts
    this.#unread = ledger.bulletin.read({ recalled: (ids) => this.#express.recall(ids) })
    await this.#express.look()
    // What waits in the tables is known before anything is delivered: it may have to run first.
    await this.#inner.start()
    await this.#deliveries.open()
    this.#lookTimer = setInterval(() => void this.#express.look().catch(ignore), lookMs)
    this.#lookTimer.unref()
    this.#lost.open()
    this.#lostTimer = setInterval(() => this.#deliveries.look(), lostLeases * leaseMs)
    this.#lostTimer.unref()
    this.#cleanTimer = setInterval(() => void this.#clean().catch(ignore), cleanMs)
    this.#cleanTimer.unref()
  }

  settle(job: LeasedJob, outcome: Outcome): Promise<boolean> {
    return this.#express.settle(job, outcome) ?? this.#inner.settle(job, outcome)
  }

  progress(job: LeasedJob, progress: JobProgress): void {
    if (!this.#express.progress(job, progress)) this.#inner.progress(job, progress)
  }

  pause(): Promise<void> {
    this.#pausing ??= this.#pause()
    return this.#pausing
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Has what runs here put into the tables, all of it or one job. */
  async flush(id?: string): Promise<void> {
    if (id === undefined || this.#express.has(id)) await this.#express.flush()
  }

  async #pause(): Promise<void> {
    clearInterval(this.#lookTimer)
    clearInterval(this.#lostTimer)
    clearInterval(this.#cleanTimer)
    this.#lost.close()
    // Nothing begins any more from here on.
    const paused = this.#inner.pause()
    await this.#deliveries.pause()
    await paused
    this.#unread()
    await this.#express.clear()
  }

  async #close(): Promise<void> {
    await this.pause()
    await this.#express.close()
    await this.#inner.close()
    await this.#deliveries.close()
  }

  async #clean(): Promise<void> {
    const { postgres } = this.#parts
    await cleanRecalled(postgres)
    await cleanAliases(postgres)
    if (++this.#cleans % cleansBeforeRelayed === 0) await cleanRelayed(postgres)
  }
}

/** Enough that the next ones are here before the last ones are stored. */
function mostHere(concurrency: number): number {
  return Math.min(2000, 8 * concurrency)
}

function ignore(): void {}
