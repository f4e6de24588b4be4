import { Breaker, type Run } from '../../../core/breaker.ts'
import { isPlimsollError, PlimsollError } from '../../../core/errors.ts'
import { events } from '../../../core/events.ts'
import { MetaBatch } from './meta-batch.ts'
import { MetaConnection } from './meta-connection.ts'
import type { Exchange } from './meta-connection.ts'

/** Where a server is, how long it may take, and what has to be done after an outage of it. */
export interface MemcachedServerOptions {
  readonly host: string
  readonly port: number
  readonly timeoutMs: number
  /** Called when an outage is over, before anybody else uses the server; `run` lets work through to it. */
  readonly rejoin: (run: Run) => Promise<void>
}

/** One server: its connection, and the breaker in front of it. */
export class MemcachedServer {
  /** `host:port`. */
  readonly name: string
  readonly #breaker: Breaker
  readonly #connection: MetaConnection
  /** The first attempt to connect, until it has ended: whoever comes so early waits for it. */
  #opening: Promise<void> | undefined
  #hadOutage = false
  #closed = false

  constructor({ host, port, timeoutMs, rejoin }: MemcachedServerOptions) {
    this.name = toServerName(host, port)
    this.#connection = new MetaConnection({ host, port, onLost: (cause) => this.#breaker.trip(cause) })
    this.#breaker = new Breaker({
      timeoutMs,
      initially: 'down',
      probe: () => this.#probe(),
      recover: async (run) => {
        if (this.#hadOutage) await rejoin(run)
      },
      // Refusals of our own say nothing about the server.
      isOutage: (error) => !isPlimsollError(error),
      unreachable: (cause) => this.#refusal(cause),
      progress: () => this.#connection.bytesRead,
      onState: (state, cause) => this.#changed(state, cause),
    })
  }

  /** Connects, if that has not begun. */
  open(): Promise<void> {
    this.#opening ??= this.#breaker.attempt().then((up) => {
      if (!up) this.#changed('down', this.#breaker.cause)
    })
    return this.#opening
  }

  /** Runs work under the breaker's time-out. @throws PLIMSOLL_CACHE_UNREACHABLE, at once while the server is down. */
  readonly run: Run = (work) => {
    if (this.#closed) return Promise.reject(this.#refusal(undefined))
    const early = this.#breaker.state === 'down' && !this.#hadOutage
    return early ? this.open().then(() => this.#breaker.run(work)) : this.#breaker.run(work)
  }

  /** Sends commands, from within `run`. */
  readonly exchange: Exchange = (batch) => this.#connection.exchange(batch)

  /** Waits for the work that is under way, which the time-out bounds; then disconnects. */
  async close(): Promise<void> {
    this.#closed = true
    while (this.#connection.busy) {
      await this.#connection.idle()
      // Work of several round trips sends the next one when it hears of the last one.
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#breaker.close()
    this.#connection.destroy(new Error('It was closed'))
  }

  async #probe(): Promise<void> {
    await this.#connection.open()
    await this.#connection.exchange(new MetaBatch().noop())
  }

  #changed(state: 'up' | 'down', cause: unknown): void {
    if (this.#closed) return
    if (state === 'down') {
      this.#hadOutage = true
      // What waits for answers has been given up; they must not be taken for those to come.
      this.#connection.destroy(cause as Error)
    }
    if (!events.hasSubscribers) return
    const error = state === 'down' ? { error: messageOf(cause) } : {}
    events.publish({ type: 'cache.state', engine: 'memcached', server: this.name, state, ...error })
  }

  #refusal(cause: unknown): PlimsollError {
    if (this.#closed) return new PlimsollError('PLIMSOLL_CACHE_CLOSED', 'The Memcached store was closed.')
    return new PlimsollError(
      'PLIMSOLL_CACHE_UNREACHABLE',
      `Memcached at ${this.name} cannot be reached: ${messageOf(cause)}.`,
      { cause, details: { server: this.name } },
    )
  }
}

/** How a server is called, in messages and among its peers. */
export function toServerName(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function messageOf(cause: unknown): string {
  const { message, code } = (cause ?? {}) as Partial<NodeJS.ErrnoException>
  return (message || code || 'no reason given').replace(/\.$/, '')
}
