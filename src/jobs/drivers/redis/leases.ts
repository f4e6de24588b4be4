import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { SignsOfLife } from '../signs-of-life.ts'
import type { RedisLink } from './redis-link.ts'
import type { RedisAddress } from './redis-source.ts'
import { beat, registerWorker, removeWorker } from './scripts/lease.ts'

/** What the thread is told. */
export type LeaseOrder =
  | { readonly type: 'hold'; readonly worker: string }
  /** Nothing runs longer than this, in milliseconds from now: a loop that is silent for longer has gone astray. */
  | { readonly type: 'alive'; readonly mostMs: number }
  | { readonly type: 'close' }

/** What the thread tells. */
export interface LeaseNews {
  readonly type: 'lost'
  readonly worker: string
}

/** What the thread begins with. */
export interface LeaseThreadData {
  readonly address: RedisAddress
  readonly prefix: string
  readonly worker: string
}

/** A thread that has failed is followed by another one after so long. */
const againMs = 1000

/** The parts of {@link Lease}. */
interface LeaseParts {
  readonly address: RedisAddress
  /** The lease is gone, and with it everything that runs here. */
  readonly lost: () => void
  /** How long what runs now may still run. */
  readonly mostMs: () => number
}

/**
 * The lease that a worker process has on everything it runs, by the clock of Redis. A thread of its own renews it, on a connection of its
 * own, so that a job that blocks the event loop is not run twice.
 */
export class Lease {
  readonly #link: Pick<RedisLink, 'prefix' | 'run'>
  readonly #parts: LeaseParts
  readonly #signs: SignsOfLife
  #thread: Worker | undefined
  #worker = ''
  #since = ''
  #closed = false
  #registering: Promise<void> | undefined

  constructor(link: Pick<RedisLink, 'prefix' | 'run'>, parts: LeaseParts) {
    this.#link = link
    this.#parts = parts
    this.#signs = new SignsOfLife({ mostMs: parts.mostMs, tell: (mostMs) => this.#tell({ type: 'alive', mostMs }) })
  }

  /** The id that this process takes jobs under; another one once the lease was lost. */
  get worker(): string {
    return this.#worker
  }

  /** Marks the data that was found at the start: Redis has been emptied when it is another one. */
  get since(): string {
    return this.#since
  }

  async open(): Promise<void> {
    await this.register()
    this.#startThread()
    this.#signs.open()
  }

  /** Runs have begun in this turn of the event loop, which they may block from now on. */
  began(): void {
    this.#signs.began()
  }

  /** Takes a new lease: one, however many ask for it meanwhile. What was taken under a second one would be nobody's. */
  register(): Promise<void> {
    const register = async (): Promise<void> => {
      try {
        const worker = `${hostname()}:${process.pid}:${randomUUID()}`
        this.#since = (await this.#link.run(registerWorker, [worker])) as string
        this.#worker = worker
        this.#tell({ type: 'hold', worker })
      } finally {
        this.#registering = undefined
      }
    }
    this.#registering ??= register()
    return this.#registering
  }

  /** A heartbeat. One comes before leases of others are taken, which would take its own with them. */
  async refresh(): Promise<void> {
    const worker = this.#worker
    if (worker === '') await this.register()
    else if ((await this.#link.run(beat, [worker])) === 0) await this.lose(worker)
  }

  /** The lease `worker` was lost: what ran under it does no more, and a new one is taken. */
  async lose(worker: string): Promise<void> {
    if (this.#closed || worker === '' || worker !== this.#worker) return
    this.#worker = ''
    this.#parts.lost()
    await this.register()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#signs.close()
    const thread = this.#thread
    if (thread !== undefined) {
      const ended = new Promise((resolve) => thread.once('exit', resolve))
      thread.ref()
      this.#tell({ type: 'close' })
      await ended
    }
    if (this.#worker !== '') await this.#link.run(removeWorker, [this.#worker]).catch(ignore)
  }

  #startThread(): void {
    const file = new URL(`./lease-thread${extname(import.meta.url)}`, import.meta.url)
    const { address } = this.#parts
    // Functions cannot go to a thread.
    const plain = JSON.parse(JSON.stringify(address)) as RedisAddress
    const workerData: LeaseThreadData = { address: plain, prefix: this.#link.prefix, worker: this.#worker }
    const thread = new Worker(file, { workerData })
    thread.unref()
    thread.on('message', ({ worker }: LeaseNews) => void this.lose(worker).catch(ignore))
    thread.on('error', (error) => {
      process.emitWarning(`The thread that holds the leases of jobs has failed: ${String(error)}`, 'PlimsollWarning')
    })
    thread.once('exit', () => {
      // Nobody is to wait for its end any more.
      if (this.#thread === thread) this.#thread = undefined
      if (!this.#closed) setTimeout(() => this.#closed || this.#startThread(), againMs).unref()
    })
    this.#thread = thread
  }

  #tell(order: LeaseOrder): void {
    this.#thread?.postMessage(order)
  }
}

function ignore(): void {}
