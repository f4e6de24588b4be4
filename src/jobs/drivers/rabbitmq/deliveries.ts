import { extname } from 'node:path'
import { PlimsollError } from '../../../core/errors.ts'
import { BesideThread } from '../beside-thread.ts'
import { SignsOfLife } from '../signs-of-life.ts'
import { BrokerReader, type Delivery, type ReaderNews, type ReaderOptions } from './broker-reader.ts'

/** What the thread of a reader is told. */
export type ReaderOrder =
  | { readonly type: 'acknowledge'; readonly channel: number; readonly tags: readonly number[] }
  /** Nothing runs longer than this, in milliseconds from now: a loop that is silent for longer has gone astray. */
  | { readonly type: 'alive'; readonly mostMs: number }
  | { readonly type: 'look' }
  | { readonly type: 'pause' }
  | { readonly type: 'close' }

type ThreadNews = ReaderNews | { readonly type: 'open' }

/** The parts of {@link Deliveries}. */
export interface DeliveriesParts extends ReaderOptions {
  /** True reads in a thread, so that a job that blocks the event loop does not lose the connection. */
  readonly threaded: boolean
  readonly arrived: (channel: number, deliveries: readonly Delivery[]) => void
  /** What came over this channel will come again, here or elsewhere. */
  readonly lost: (channel: number) => void
  readonly missing: (queue: string) => void
  /** Nothing is ready in a queue, which so many read. */
  readonly empty: (queue: string, readers: number) => void
  /** How long what runs now may still run. */
  readonly mostMs: () => number
}

/** How long the end is waited for. */
const lastMs = 3000

/** What the broker delivers to this process, read in a thread or here. */
export class Deliveries {
  readonly #parts: DeliveriesParts
  #thread: BesideThread<ReaderOrder, ThreadNews> | undefined
  #reader: BrokerReader | undefined
  readonly #signs: SignsOfLife
  /** The last channel that was heard of. */
  #channel = 0
  #opened = (): void => {}
  #paused = (): void => {}
  #isOpen = false
  #refusal: string | undefined
  #closed = false

  constructor(parts: DeliveriesParts) {
    this.#parts = parts
    this.#signs = new SignsOfLife({ mostMs: parts.mostMs, tell: (mostMs) => this.#order({ type: 'alive', mostMs }) })
  }

  /**
   * Begins to read. Resolves after the first attempt to connect: a broker that is away is looked for again and again.
   *
   * @throws PLIMSOLL_JOBS_UNAVAILABLE when it is there, and does not let its queues be read
   */
  async open(): Promise<void> {
    await this.#begin()
    this.#isOpen = true
    if (this.#refusal === undefined) return
    const { name } = this.#parts.address
    throw new PlimsollError('PLIMSOLL_JOBS_UNAVAILABLE', this.#refusal, { details: { name } })
  }

  async #begin(): Promise<void> {
    const { address, queues, dropped, heartbeatS, threaded } = this.#parts
    const options = { address, queues, dropped, heartbeatS }
    if (!threaded) {
      this.#reader = new BrokerReader(options, (news) => this.#hear(news))
      return this.#reader.open()
    }
    const opened = new Promise<void>((resolve) => (this.#opened = resolve))
    this.#thread = new BesideThread<ReaderOrder, ThreadNews>({
      module: new URL(`./reader-thread${extname(import.meta.url)}`, import.meta.url),
      data: (): ReaderOptions => ({ ...options, after: this.#channel }),
      does: 'reads RabbitMQ',
      hear: (news) => {
        if ('channel' in news) this.#channel = news.channel
        this.#hear(news)
      },
      ended: () => {
        this.#opened()
        this.#paused()
        if (!this.#closed) this.#parts.lost(this.#channel)
      },
    })
    this.#thread.start()
    this.#signs.open()
    await opened
  }

  /** Runs have begun in this turn of the event loop, which they may block from now on. */
  began(): void {
    this.#signs.began()
  }

  acknowledge(channel: number, tags: readonly number[]): void {
    if (this.#reader !== undefined) this.#reader.acknowledge(channel, tags)
    else this.#order({ type: 'acknowledge', channel, tags })
  }

  /** Looks for queues in which nothing is ready. */
  look(): void {
    if (this.#reader !== undefined) void this.#reader.look()
    else this.#order({ type: 'look' })
  }

  /** Reads no more. What has come until then has arrived when it resolves. */
  async pause(): Promise<void> {
    if (this.#reader === undefined && this.#thread?.runs !== true) return
    const paused = new Promise<void>((resolve) => (this.#paused = resolve))
    if (this.#reader !== undefined) void this.#reader.pause()
    else this.#order({ type: 'pause' })
    const late = setTimeout(() => this.#paused(), lastMs)
    await paused
    clearTimeout(late)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#signs.close()
    if (this.#reader !== undefined) return this.#reader.close()
    await this.#thread?.close({ type: 'close' })
  }

  #order(order: ReaderOrder): void {
    this.#thread?.tell(order)
  }

  #hear(news: ThreadNews): void {
    switch (news.type) {
      case 'deliveries':
        return this.#parts.arrived(news.channel, news.deliveries)
      case 'lost':
        return this.#parts.lost(news.channel)
      case 'missing':
        return this.#parts.missing(news.queue)
      case 'empty':
        return this.#parts.empty(news.queue, news.readers)
      case 'paused':
        return this.#paused()
      case 'open':
        return this.#opened()
      default:
        if (news.refused && !this.#isOpen) this.#refusal = news.text
        else process.emitWarning(`Jobs are not read from RabbitMQ now: ${news.text}`, 'PlimsollWarning')
    }
  }
}
