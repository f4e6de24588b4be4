import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { extname } from 'node:path'
import { BesideThread } from '../beside-thread.ts'
import type { LeaseNews, LeaseOrder } from '../hold-lease.ts'
import { signsEveryMs } from '../lease-times.ts'
import { SignsOfLife } from '../signs-of-life.ts'
import type { RedisLink } from './redis-link.ts'
import type { RedisAddress } from './redis-source.ts'
import { beat, registerWorker, removeWorker } from './scripts/lease.ts'

/** What the thread begins with. */
export interface LeaseThreadData {
  readonly address: RedisAddress
  readonly prefix: string
  readonly worker: string
  readonly leaseMs: number
}

/** The parts of {@link Lease}. */
interface LeaseParts {
  readonly address: RedisAddress
  /** How long a process is taken for alive after its last heartbeat; it gives four in that time. */
  readonly leaseMs: number
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
  readonly #thread: BesideThread<LeaseOrder, LeaseNews>
  #worker = ''
  #since = ''
  #closed = false
  #registering: Promise<void> | undefined

  constructor(link: Pick<RedisLink, 'prefix' | 'run'>, parts: LeaseParts) {
    this.#link = link
    this.#parts = parts
    this.#thread = new BesideThread<LeaseOrder, LeaseNews>({
      module: new URL(`./lease-thread${extname(import.meta.url)}`, import.meta.url),
      data: () => this.#threadData(),
      does: 'holds the leases of jobs',
      hear: ({ worker }) => void this.lose(worker).catch(ignore),
    })
    const tell = (mostMs: number): void => this.#thread.tell({ type: 'alive', mostMs })
    this.#signs = new SignsOfLife({ mostMs: parts.mostMs, tell, everyMs: signsEveryMs(parts.leaseMs) })
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
    this.#thread.start()
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
        this.#since = (await this.#link.run(registerWorker, [worker, this.#parts.leaseMs])) as string
        this.#worker = worker
        this.#thread.tell({ type: 'hold', worker })
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
    else if ((await this.#link.run(beat, [worker, this.#parts.leaseMs])) === 0) await this.lose(worker)
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
    await this.#thread.close({ type: 'close' })
    if (this.#worker !== '') await this.#link.run(removeWorker, [this.#worker]).catch(ignore)
  }

  #threadData(): LeaseThreadData {
    // Functions cannot go to a thread.
    const address = JSON.parse(JSON.stringify(this.#parts.address)) as RedisAddress
    return { address, prefix: this.#link.prefix, worker: this.#worker, leaseMs: this.#parts.leaseMs }
  }
}

function ignore(): void {}
