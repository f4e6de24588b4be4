import { backoffMs } from './backoff.ts'

/** How a {@link Breaker} judges its server, and whom it tells. */
export interface BreakerOptions {
  /** How long one piece of work may take, in milliseconds. Default 100. */
  readonly timeoutMs?: number | undefined
  /** How long one probe may take, in milliseconds. Default 1000, or `timeoutMs` where that is longer. */
  readonly probeTimeoutMs?: number | undefined
  /** `down`: it has to be probed before its first use. Default `up`. */
  readonly initially?: 'up' | 'down' | undefined
  /** Finds out whether the server answers again: connects, say. Called with a growing backoff while the breaker is open. */
  probe(): Promise<void>
  /**
   * What has to be done before the server is used again. `run` lets work through although the breaker is still open. When
   * it rejects, the breaker stays open and probes again later.
   */
  recover?(run: Run): Promise<void>
  /** False for an error that is no outage: it is passed on as it is, and the breaker stays closed. Default: all are outages. */
  isOutage?(error: unknown): boolean
  /** The error for work that is refused or given up; `cause` is what the outage began with. */
  unreachable(cause: unknown): Error
  /** A number that grows with every byte that comes in: while it does, a server is slow but not gone. */
  progress?(): number
  /** Told of every change; `cause` is what opened it. */
  onState?(state: 'up' | 'down', cause?: unknown): void
}

/** Runs work under a breaker's time-out. `weight`: how many time-outs it may take, as for a large upload. Default 1. */
export type Run = <T>(work: () => Promise<T>, weight?: number) => Promise<T>

interface Flight {
  readonly weight: number
  /** Somebody waits for it: it keeps the process alive. */
  readonly asked: boolean
  ticksLeft: number
  /** For how many ticks progress can put the time-out off. */
  grace: number
  reject(error: Error): void
}

const ticksPerTimeout = 4
const graceTimeouts = 9
// Short: while one process does not know that the server is back, the others hear of its writes in a roundabout way.
const backoff = { firstMs: 25, mostMs: 250 }

/**
 * A time-out and a circuit breaker around one server. Work that takes longer than `timeoutMs`, or fails with an outage,
 * opens it: what is under way is rejected, and new work is refused at once, until a probe and `recover` have succeeded. So
 * a dead server costs one time-out, not one for each caller.
 *
 * One timer serves all work. It counts turns of the event loop rather than reading a clock: while this process is busy, an
 * answer that lies unread in a socket does not grow old. It keeps the process alive while work is under way, at most for
 * the time-out; nothing else here does.
 *
 * @example
 * const breaker = new Breaker({ probe: () => client.connect(), unreachable: (cause) => new Error('gone', { cause }) })
 * const value = await breaker.run(() => client.get('a'))
 */
export class Breaker {
  readonly #options: BreakerOptions
  readonly #timeoutMs: number
  readonly #flights = new Set<Flight>()
  #state: 'up' | 'down'
  #cause: unknown
  #attempts = 0
  /** Counts outages: an attempt that began before the latest one proves nothing. */
  #outages = 0
  #progress = 0
  #asked = 0
  /** The weights above 1 of what is under way: whatever comes after it on the same connection waits for it. */
  #ballast = 0
  #attempt: Promise<boolean> | undefined
  #ticks: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: BreakerOptions) {
    this.#options = options
    this.#timeoutMs = options.timeoutMs ?? 100
    this.#state = options.initially ?? 'up'
  }

  /** `down` while it is open. */
  get state(): 'up' | 'down' {
    return this.#state
  }

  /** What opened it, or what its last probe met. */
  get cause(): unknown {
    return this.#cause
  }

  /**
   * Runs work under the time-out.
   *
   * @throws what `unreachable` makes: at once while the breaker is open, else when the work takes too long or meets an outage.
   */
  readonly run: Run = (work, weight = 1) =>
    this.#state === 'up' ? this.#fly(work, weight, true) : Promise.reject(this.#options.unreachable(this.#cause))

  /** Opens the breaker: the connection broke. */
  trip(cause: unknown): void {
    if (this.#closed) return
    this.#outages++
    this.#cause = cause
    for (const flight of this.#flights) {
      this.#land(flight)
      flight.reject(this.#options.unreachable(cause))
    }
    if (this.#state === 'down') return
    this.#state = 'down'
    this.#options.onState?.('down', cause)
    this.#retryLater()
  }

  /**
   * Probes now and recovers; true when the breaker is closed afterwards. Happens by itself after an outage; a breaker that
   * is down initially is set going by the first call.
   */
  attempt(): Promise<boolean> {
    return this.#join(true)
  }

  /** Ends the probes, and rejects the work that is under way. */
  close(): void {
    if (this.#closed) return
    for (const flight of this.#flights) {
      this.#land(flight)
      flight.reject(this.#options.unreachable(new Error('It was closed.')))
    }
    this.#closed = true
    this.#state = 'down'
    this.#cause = new Error('It was closed.')
    clearTimeout(this.#retry)
    clearInterval(this.#ticks)
    this.#ticks = undefined
  }

  #join(asked: boolean): Promise<boolean> {
    if (this.#state === 'up' || this.#closed) return Promise.resolve(this.#state === 'up')
    clearTimeout(this.#retry)
    this.#attempt ??= this.#try(asked).finally(() => {
      this.#attempt = undefined
      if (this.#state === 'down') this.#retryLater()
    })
    return this.#attempt
  }

  async #try(asked: boolean): Promise<boolean> {
    const outages = this.#outages
    const within = this.#options.probeTimeoutMs ?? Math.max(1000, this.#timeoutMs)
    try {
      await this.#fly(() => this.#options.probe(), within / this.#timeoutMs, asked)
      await this.#options.recover?.((work, weight = 1) => this.#fly(work, weight, asked))
    } catch (error) {
      this.#cause = causeOf(error)
      return false
    }
    if (this.#closed || outages !== this.#outages) return false
    this.#state = 'up'
    this.#cause = undefined
    this.#attempts = 0
    this.#options.onState?.('up')
    return true
  }

  #retryLater(): void {
    if (this.#closed) return
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => void this.#join(false), backoffMs(++this.#attempts, backoff)).unref()
  }

  #fly<T>(work: () => Promise<T>, weight: number, asked: boolean): Promise<T> {
    return new Promise((resolve, reject) => {
      const ticks = Math.ceil(ticksPerTimeout * (weight + this.#ballast)) + 1
      const flight: Flight = { weight, asked, ticksLeft: ticks, grace: graceTimeouts * ticksPerTimeout, reject }
      this.#flights.add(flight)
      this.#ballast += Math.max(0, weight - 1)
      this.#ticks ??= this.#startTicks()
      if (asked && this.#asked++ === 0) this.#ticks.ref()
      start(work).then(
        (value) => {
          if (this.#land(flight)) resolve(value)
        },
        (error: unknown) => {
          // Given up already, and told so.
          if (!this.#land(flight)) return
          if (this.#options.isOutage?.(error) === false) return reject(error)
          reject(this.#options.unreachable(error))
          this.trip(error)
        },
      )
    })
  }

  /** False when it was given up before. */
  #land(flight: Flight): boolean {
    if (!this.#flights.delete(flight)) return false
    this.#ballast = this.#flights.size === 0 ? 0 : this.#ballast - Math.max(0, flight.weight - 1)
    if (flight.asked && --this.#asked === 0) this.#ticks?.unref()
    return true
  }

  #startTicks(): NodeJS.Timeout {
    this.#progress = this.#options.progress?.() ?? 0
    return setInterval(() => this.#tick(), this.#timeoutMs / ticksPerTimeout).unref()
  }

  #tick(): void {
    if (this.#flights.size === 0) {
      clearInterval(this.#ticks)
      this.#ticks = undefined
      return
    }
    const progress = this.#options.progress?.() ?? 0
    const moved = progress > this.#progress
    this.#progress = progress
    for (const flight of this.#flights) {
      if (moved && flight.grace-- > 0) continue
      if (--flight.ticksLeft > 0) continue
      this.#land(flight)
      const cause = new Error(`It did not answer within ${Math.round(this.#timeoutMs * flight.weight)} ms.`)
      flight.reject(this.#options.unreachable(cause))
      this.trip(cause)
      return
    }
  }
}

async function start<T>(work: () => Promise<T>): Promise<T> {
  return work()
}

/** What an outage began with, where the error of a refusal carries it. */
function causeOf(error: unknown): unknown {
  return (error instanceof Error ? error.cause : undefined) ?? error
}
