import { AsyncLocalStorage } from 'node:async_hooks'
import type { ConfirmChannel } from 'amqplib'
import { backoffMs } from '../../../core/backoff.ts'
import { listNames } from '../../../core/errors.ts'
import {
  answerOf,
  checkSending,
  checkVersion,
  closeBroker,
  connectBroker,
  declareQueue,
  dropBroker,
  holdProcess,
  onChannel,
  refused,
  type Broker,
} from './broker.ts'
import type { Message, QueueNames } from './messages.ts'
import { awaitLeader } from './queue-leader.ts'
import type { RabbitmqAddress } from './rabbitmq-address.ts'

/** So many messages are on their way to the broker at a time. */
const mostOnTheirWay = 5000
/** A broker that says nothing for so long has taken nothing. */
const confirmMs = 5000
const retry = { firstMs: 100, mostMs: 5000 }

/** A call that is under way. */
interface Call {
  /** What the broker has not confirmed. */
  readonly open: Set<Message>
  /** Ends it, when the broker will not confirm the rest soon. */
  readonly giveUp: () => void
}

/** A connection with its channel, for as long as that lasts. */
interface Line {
  readonly broker: Broker
  readonly channel: ConfirmChannel
  /** The queues that are known to be there. */
  readonly declared: Set<string>
  /** Messages, by their first job, that had no queue to go to, which is told before they are confirmed. */
  readonly returned: Set<string>
  readonly room: (() => void)[]
  readonly calls: Set<Call>
  onTheirWay: number
  /** It is full: it takes nothing now. */
  blocked: boolean
  over: boolean
}

/** The parts of {@link Publisher}. */
interface PublisherParts {
  readonly names: QueueNames
  /** A queue was not there: what it had been handed is gone. */
  readonly missing: (queue: string) => Promise<void>
}

/** Hands messages to the broker, and says of each whether that has it. */
export class Publisher {
  readonly #address: RabbitmqAddress
  readonly #parts: PublisherParts
  readonly #outside = AsyncLocalStorage.snapshot()
  /** Queues that have not confirmed in time: nothing is sent there until they take messages again. */
  readonly #silent = new Set<string>()
  #line: Line | undefined
  #declaring: Promise<boolean> = Promise.resolve(true)
  #closed = false

  private constructor(address: RabbitmqAddress, parts: PublisherParts) {
    this.#address = address
    this.#parts = parts
  }

  /** @throws PLIMSOLL_JOBS_UNREACHABLE, PLIMSOLL_JOBS_UNAVAILABLE, PLIMSOLL_PEER_MISSING */
  static async open(address: RabbitmqAddress, parts: PublisherParts): Promise<Publisher> {
    const publisher = new Publisher(address, parts)
    await publisher.#outside(() => publisher.#connect())
    return publisher
  }

  /** Has the queues there. Resolves to false when the broker takes nothing now, or one of them does not. */
  prepare(queues: readonly string[]): Promise<boolean> | boolean {
    const line = this.#line
    if (line === undefined || !this.#takes(line) || queues.some((queue) => this.#silent.has(queue))) return false
    if (queues.every((queue) => line.declared.has(queue))) return true
    // One after the other: who finds a queue missing has said so before anybody puts something into it.
    this.#declaring = this.#declaring.then(() => this.#outside(() => this.#declare(line, queues)))
    return this.#declaring
  }

  /** Resolves to the ids of jobs that the broker does not have for sure. */
  async publish(messages: readonly Message[]): Promise<readonly string[]> {
    const line = this.#line
    if (line === undefined) return messages.flatMap(({ ids }) => ids)
    const failed: string[] = []
    const open = new Set<Message>()
    const { promise: confirmed, resolve } = Promise.withResolvers<void>()
    let heardAt = performance.now()
    let sent = false
    const note = (message: Message, error: unknown): void => {
      heardAt = performance.now()
      if (--line.onTheirWay < mostOnTheirWay) for (const go of line.room.splice(0)) go()
      if (!open.delete(message)) return
      if (line.returned.delete(message.ids[0]!) || error !== null) failed.push(...message.ids)
      if (open.size === 0 && sent) resolve()
    }
    const giveUp = (): void => {
      for (const { ids } of open) failed.push(...ids)
      open.clear()
      resolve()
    }
    const call = { open, giveUp }
    line.calls.add(call)
    const silent = setInterval(() => {
      if (performance.now() - heardAt > confirmMs) this.#putAside(line)
    }, confirmMs / 5)
    holdProcess(line.broker, true)
    for (const message of messages) {
      const { ids, queue, content } = message
      if (line.onTheirWay >= mostOnTheirWay && this.#takes(line)) await new Promise<void>((go) => line.room.push(go))
      if (!this.#takes(line) || this.#silent.has(queue)) {
        failed.push(...ids)
        continue
      }
      open.add(message)
      line.onTheirWay++
      const options = { persistent: true, mandatory: true, messageId: ids[0]! }
      line.channel.publish('', this.#parts.names.of(queue), Buffer.from(content), options, (error: unknown) =>
        note(message, error),
      )
    }
    sent = true
    if (open.size > 0) await confirmed
    clearInterval(silent)
    line.calls.delete(call)
    if (line.onTheirWay === 0) holdProcess(line.broker, false)
    return failed
  }

  /** How many messages are ready in a queue; undefined when that is not known. */
  async depthOf(queue: string): Promise<number | undefined> {
    const line = this.#line
    // One that is full reads no questions either.
    if (line === undefined || !this.#takes(line)) return undefined
    try {
      const name = this.#parts.names.of(queue)
      return (await onChannel(line.broker, (channel) => channel.checkQueue(name))).messageCount
    } catch {
      return undefined
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const line = this.#line
    this.#line = undefined
    if (line !== undefined) await closeBroker(line.broker)
  }

  async #connect(): Promise<void> {
    // A loop that is blocked gives no heartbeat; that it has been cut off is told by what is not confirmed.
    const broker = await connectBroker(this.#address, { purpose: 'enqueue', heartbeatS: 0 })
    const { dropped } = this.#parts.names
    try {
      checkVersion(broker, this.#address)
      await declareQueue(broker, { name: dropped }, this.#address)
      const line = this.#watch(broker, await answerOf(broker, broker.createConfirmChannel()))
      await checkSending(broker, line.channel, { queue: dropped, address: this.#address })
      if (this.#closed || line.over) throw new Error('The connection has ended.')
      line.channel.on('return', ({ properties }) => void line.returned.add(properties.messageId as string))
      this.#line = line
      holdProcess(broker, false)
      for (const queue of this.#silent) void this.#takeUp(line, queue)
    } catch (error) {
      dropBroker(broker)
      throw refused(this.#address, dropped, error)
    }
  }

  /** Hears of all that happens to a connection, before it is used. */
  #watch(broker: Broker, channel: ConfirmChannel): Line {
    const line: Line = {
      broker,
      channel,
      declared: new Set(),
      returned: new Set(),
      room: [],
      calls: new Set(),
      onTheirWay: 0,
      blocked: false,
      over: false,
    }
    channel.on('error', () => {})
    // Its memory or its disk is full: it reads nothing more of us.
    broker.on('blocked', () => {
      line.blocked = true
      this.#giveUp(line)
    })
    broker.on('unblocked', () => void (line.blocked = false))
    channel.once('close', () => {
      line.over = true
      dropBroker(broker)
      if (this.#line !== line) return
      this.#line = undefined
      this.#giveUp(line)
      void this.#reconnect()
    })
    broker.once('close', () => channel.emit('close'))
    return line
  }

  #takes(line: Line): boolean {
    return this.#line === line && !line.blocked
  }

  #giveUp(line: Line): void {
    for (const go of line.room.splice(0)) go()
    for (const { giveUp } of line.calls) giveUp()
  }

  /** One queue without a leader keeps a channel from confirming anything: those that have nothing to do with it are taken up again soon. */
  #putAside(line: Line): void {
    const queues = new Set([...line.calls].flatMap(({ open }) => [...open].map(({ queue }) => queue)))
    for (const queue of queues) this.#silent.add(queue)
    if (queues.size > 0)
      process.emitWarning(
        `Jobs go past RabbitMQ until it confirms again what it is sent for ${listNames(queues)}.`,
        'PlimsollWarning',
      )
    dropBroker(line.broker)
  }

  /** Sends to a queue again as soon as it takes messages. */
  async #takeUp(line: Line, queue: string): Promise<void> {
    try {
      const led = await awaitLeader(line.broker, this.#parts.names.of(queue), () => line.blocked)
      if (!led) line.declared.delete(queue)
      this.#silent.delete(queue)
      // What a queue that is gone was handed waits in the tables from here on.
      if (!led) await this.prepare([queue])
    } catch (error) {
      // The next connection begins anew.
      if (this.#line === line) process.emitWarning(`Jobs go past RabbitMQ now: ${String(error)}`, 'PlimsollWarning')
      dropBroker(line.broker)
    }
  }

  async #reconnect(): Promise<void> {
    for (let attempt = 1; !this.#closed; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, retry)).unref())
      if (this.#closed) return
      try {
        await this.#connect()
        return
      } catch {
        // What is enqueued meanwhile waits in the tables, and is run from there.
      }
    }
  }

  async #declare(line: Line, queues: readonly string[]): Promise<boolean> {
    holdProcess(line.broker, true)
    try {
      for (const queue of queues) {
        if (line.declared.has(queue)) continue
        const { names, missing } = this.#parts
        const spec = { name: names.of(queue), dropped: names.dropped }
        if (await declareQueue(line.broker, spec, this.#address)) await missing(queue)
        line.declared.add(queue)
      }
      return this.#line === line
    } catch (error) {
      if (this.#line === line) process.emitWarning(`Jobs go past RabbitMQ now: ${String(error)}`, 'PlimsollWarning')
      return false
    } finally {
      if (line.onTheirWay === 0) holdProcess(line.broker, false)
    }
  }
}
