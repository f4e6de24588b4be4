import type { Channel, ConsumeMessage } from 'amqplib'
import { backoffMs } from '../../../core/backoff.ts'
import { errorText } from '../../../core/error-text.ts'
import { isPlimsollError } from '../../../core/errors.ts'
import {
  answerOf,
  closeBroker,
  connectBroker,
  declareQueue,
  dropBroker,
  holdProcess,
  refused,
  type Broker,
} from './broker.ts'
import { awaitLeader } from './queue-leader.ts'
import type { RabbitmqAddress } from './rabbitmq-address.ts'

/** A message that has come: its number on its channel, whether it had been delivered before, and what it says. */
export type Delivery = readonly [tag: number, again: boolean, content: string]

/** A queue to read. */
export interface ReadQueue {
  readonly queue: string
  /** As the broker names it. */
  readonly name: string
  /** How many messages may be here that have not been acknowledged. */
  readonly most: number
}

/** What is read: one of those, or what the broker has given up delivering. */
type Source = Omit<ReadQueue, 'queue'> & { readonly queue?: string }

/** What to read, and from where. */
export interface ReaderOptions {
  readonly address: RabbitmqAddress
  readonly queues: readonly ReadQueue[]
  /** The queue of what the broker gives up delivering, which is read too. */
  readonly dropped: string
  /** Either side gives the connection up when the other one is silent for two of these, in seconds. */
  readonly heartbeatS: number
  /** Its channels are numbered from here on: no two of a consumer have the same number. Default 0. */
  readonly after?: number | undefined
}

/** What a reader tells. A channel is told by its number: what came over one that is lost cannot be acknowledged any more. */
export type ReaderNews =
  | { readonly type: 'deliveries'; readonly channel: number; readonly deliveries: readonly Delivery[] }
  | { readonly type: 'lost'; readonly channel: number }
  /** The broker does not have this queue; what it had been handed is gone. */
  | { readonly type: 'missing'; readonly queue: string }
  /** Nothing is ready in this queue, which so many read; all that it has sent here until then has been told. */
  | { readonly type: 'empty'; readonly queue: string; readonly readers: number }
  | { readonly type: 'paused' }
  /** It cannot be read now; `refused` when the broker answers, and does not let it be read. */
  | { readonly type: 'trouble'; readonly text: string; readonly refused: boolean }

/** What the broker gave up delivering is rare. */
const mostDropped = 100
const retry = { firstMs: 100, mostMs: 5000 }

/** Reads queues of the broker, over one connection that is made again when it is lost. */
export class BrokerReader {
  readonly #options: ReaderOptions
  readonly #tell: (news: ReaderNews) => void
  #broker: Broker | undefined
  #channel: Channel | undefined
  #number: number
  #tags: string[] = []
  /** Queues that did not let themselves be read, by their names at the broker. */
  readonly #silent = new Set<string>()
  #batch: Delivery[] = []
  #scheduled = false
  /** All before this one have been acknowledged. */
  #low = 1
  /** Those behind it that have been, each by itself. */
  readonly #alone = new Set<number>()
  #paused = false
  #closed = false
  #reported = ''

  constructor(options: ReaderOptions, tell: (news: ReaderNews) => void) {
    this.#options = options
    this.#number = options.after ?? 0
    this.#tell = tell
  }

  /** Connects, again and again until it is closed. Resolves after the first attempt. */
  async open(): Promise<void> {
    if (!(await this.#connect())) void this.#reconnect()
  }

  /** Many at once where none before them is missing. */
  acknowledge(channel: number, tags: readonly number[]): void {
    if (channel !== this.#number || this.#channel === undefined) return
    const fresh = new Set(tags)
    let last = 0
    for (; ; this.#low++) {
      if (fresh.delete(this.#low)) last = this.#low
      else if (!this.#alone.delete(this.#low)) break
    }
    // The broker wants one that it has not been told of yet.
    if (last > 0) this.#channel.ack(toMessage(last), true)
    for (const tag of fresh) {
      this.#alone.add(tag)
      this.#channel.ack(toMessage(tag))
    }
  }

  /** Reads no more. What has come until then has been told before `paused` is. */
  async pause(): Promise<void> {
    this.#paused = true
    const channel = this.#channel
    const tags = this.#tags.splice(0)
    if (channel !== undefined)
      await answerOf(this.#broker!, Promise.all(tags.map((tag) => channel.cancel(tag)))).catch(() => {})
    this.#flush()
    this.#tell({ type: 'paused' })
  }

  /** Looks for queues in which nothing is ready. */
  async look(): Promise<void> {
    try {
      for (const { queue, name } of this.#options.queues) {
        if (this.#channel === undefined) return
        const found = await answerOf(this.#broker!, this.#channel.checkQueue(name))
        if (found.messageCount !== 0) continue
        this.#flush()
        this.#tell({ type: 'empty', queue, readers: found.consumerCount })
      }
    } catch {
      // The connection is gone, or will be: the next look says more.
    }
  }

  /** Ends at once: what has not been acknowledged is somebody else's. */
  abandon(): void {
    if (this.#broker !== undefined) dropBroker(this.#broker)
  }

  async close(): Promise<void> {
    this.#closed = true
    // In order: what was acknowledged before is on its way.
    if (this.#broker !== undefined) await closeBroker(this.#broker)
  }

  async #connect(): Promise<boolean> {
    const { address, queues, dropped, heartbeatS } = this.#options
    let broker: Broker | undefined
    try {
      broker = await connectBroker(address, { purpose: 'work', heartbeatS })
      holdProcess(broker, false)
      await declareQueue(broker, { name: dropped }, address)
      for (const { queue, name } of queues)
        if (await declareQueue(broker, { name, dropped }, address)) this.#tell({ type: 'missing', queue })
      const channel = await answerOf(broker, broker.createChannel())
      if (this.#closed) throw new Error('It was closed.')
      const state = this.#use(broker, channel)
      for (const source of [...queues, { name: dropped, most: mostDropped }]) {
        if (this.#paused) break
        if (this.#silent.has(source.name)) void this.#readLater(broker, channel, source)
        else await this.#read(broker, channel, source)
      }
      if (this.#paused) await this.pause()
      if (state.over) return false
      state.settled = true
      this.#reported = ''
      return true
    } catch (error) {
      if (broker !== undefined) dropBroker(broker)
      const text = errorText(error)
      const refused = isPlimsollError(error, 'PLIMSOLL_JOBS_UNAVAILABLE')
      if (text !== this.#reported && !this.#closed) this.#tell({ type: 'trouble', text, refused })
      this.#reported = text
      return false
    }
  }

  async #read(broker: Broker, channel: Channel, { name, most }: Source): Promise<void> {
    // Both are sent in this turn, since others may be read from meanwhile with limits of their own; what fails the first fails the second.
    void channel.prefetch(most).catch(() => {})
    const reads = channel.consume(name, (message) => this.#receive(message, name === this.#options.dropped))
    const { consumerTag } = await answerOf(broker, reads).catch((error: unknown) => {
      // One without a leader keeps the channel from all others: they are read without it next time.
      if ((error as { code?: number }).code === undefined) this.#silent.add(name)
      throw refused(this.#options.address, name, error)
    })
    this.#tags.push(consumerTag)
  }

  /** Reads a queue that did not let itself be read as soon as it does, beside the others. */
  async #readLater(broker: Broker, channel: Channel, source: Source): Promise<void> {
    const { address, dropped } = this.#options
    const { name, queue } = source
    for (let attempt = 1; this.#channel === channel && !this.#paused; attempt++) {
      try {
        await this.#awaitLeader(broker, name)
        this.#silent.delete(name)
        if (queue === undefined) await declareQueue(broker, { name }, address)
        else if (await declareQueue(broker, { name, dropped }, address)) this.#tell({ type: 'missing', queue })
        if (this.#channel !== channel || this.#paused) return
        await this.#read(broker, channel, source)
        if (this.#paused) await this.pause()
        return
      } catch {
        await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, retry)).unref())
      }
    }
  }

  /** Over a connection of its own: of one that has sent messages a broker that is full reads no more, not even what it acknowledges. */
  async #awaitLeader(broker: Broker, name: string): Promise<void> {
    const { address, heartbeatS } = this.#options
    const asking = await connectBroker(address, { purpose: 'ask', heartbeatS })
    holdProcess(asking, false)
    let full = false
    asking.on('blocked', () => void (full = true)).on('unblocked', () => void (full = false))
    const drop = (): void => dropBroker(asking)
    broker.once('close', drop)
    try {
      await awaitLeader(asking, name, () => full)
    } finally {
      broker.off('close', drop)
      void closeBroker(asking)
    }
  }

  /** Until it is settled, whoever connects sees to it that it is tried again. */
  #use(broker: Broker, channel: Channel): { over: boolean; settled: boolean } {
    this.#broker = broker
    this.#channel = channel
    this.#tags = []
    this.#low = 1
    this.#alone.clear()
    const number = ++this.#number
    channel.on('error', () => {})
    const state = { over: false, settled: false }
    const end = (): void => {
      if (state.over) return
      state.over = true
      dropBroker(broker)
      if (this.#channel === channel) this.#channel = undefined
      this.#batch = []
      this.#tell({ type: 'lost', channel: number })
      if (state.settled && !this.#closed) void this.#reconnect()
    }
    channel.once('close', end)
    broker.once('close', end)
    return state
  }

  async #reconnect(): Promise<void> {
    for (let attempt = 1; !this.#closed; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, retry)).unref())
      if (this.#closed || (await this.#connect())) return
    }
  }

  #receive(message: ConsumeMessage | null, dropped: boolean): void {
    // The queue was deleted: it is made again.
    if (message === null) return this.abandon()
    const { deliveryTag, redelivered } = message.fields
    this.#batch.push([deliveryTag, redelivered || dropped, message.content.toString()])
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    this.#scheduled = false
    if (this.#batch.length === 0) return
    const deliveries = this.#batch
    this.#batch = []
    this.#tell({ type: 'deliveries', channel: this.#number, deliveries })
  }
}

/** All that the library looks at to acknowledge one. */
function toMessage(deliveryTag: number): ConsumeMessage {
  return { fields: { deliveryTag } } as ConsumeMessage
}
