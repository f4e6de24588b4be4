import { hostname } from 'node:os'
import { extname } from 'node:path'
import { readTexts, type Postgres, type PostgresOptions } from '../../../postgres/index.ts'
import { BesideThread } from '../beside-thread.ts'
import type { LeaseNews, LeaseOrder } from '../hold-lease.ts'
import { signsEveryMs } from '../lease-times.ts'
import { SignsOfLife } from '../signs-of-life.ts'
import { endsWithin } from './ends-within.ts'
import { beat, endWorkers, registerWorker, removeWorker } from './statements.ts'

/** What the thread begins with. */
export interface LeaseThreadData {
  readonly options: PostgresOptions
  readonly worker: string
  readonly leaseMs: number
}

/** What a lease needs to know. */
export interface LeaseParts {
  /** How to reach the database from a thread. */
  readonly options: PostgresOptions | undefined
  /** How long a process is taken for alive after its last heartbeat; it gives four in that time. */
  readonly leaseMs: number
  /** Others have the jobs of this process. */
  readonly lost: () => void
  /** It may take jobs again. */
  readonly back: () => void
  /** How long what runs now may still run. */
  readonly mostMs: () => number
}

/** How long a database that does not answer is waited for at the end. */
const lastMs = 2000

/**
 * The lease that a worker process has on everything it runs: one row, which one heartbeat renews. Where the database is a server it
 * is a thread of its own that gives it, on a connection of its own, so that a job that blocks the event loop is not run twice.
 */
export class Lease {
  readonly #postgres: Postgres
  readonly #parts: LeaseParts
  #thread: BesideThread<LeaseOrder, LeaseNews> | undefined
  #timer: NodeJS.Timeout | undefined
  #signs: SignsOfLife | undefined
  #worker = ''
  #closed = false
  #regaining: Promise<void> | undefined

  constructor(postgres: Postgres, parts: LeaseParts) {
    this.#postgres = postgres
    this.#parts = parts
  }

  /** The id that this process takes jobs under; another one once the lease was lost, and empty until it has that. */
  get worker(): string {
    return this.#worker
  }

  async open(): Promise<void> {
    // Whoever had it open before has ended: a folder is one process's.
    if (this.#postgres.engine === 'pglite' && !held.has(this.#postgres)) await readTexts(this.#postgres, endWorkers)
    held.add(this.#postgres)
    await this.#register()
    const { options, leaseMs, mostMs } = this.#parts
    if (options === undefined) {
      this.#timer = setInterval(() => void this.refresh().catch(ignore), leaseMs / 4)
      this.#timer.unref()
      return
    }
    const thread = new BesideThread<LeaseOrder, LeaseNews>({
      module: new URL(`./lease-thread${extname(import.meta.url)}`, import.meta.url),
      data: (): LeaseThreadData => ({ options, worker: this.#worker, leaseMs }),
      does: 'holds the leases of jobs',
      hear: ({ worker }) => void this.#lose(worker).catch(ignore),
    })
    thread.start()
    this.#thread = thread
    this.#signs = new SignsOfLife({
      mostMs,
      tell: (most) => thread.tell({ type: 'alive', mostMs: most }),
      everyMs: signsEveryMs(leaseMs),
    })
    this.#signs.open()
  }

  /** Runs have begun in this turn of the event loop, which they may block from now on. */
  began(): void {
    this.#signs?.began()
  }

  /** A heartbeat. One comes before leases of others are taken: a loop that was blocked would take its own with them. */
  async refresh(): Promise<void> {
    const worker = this.#worker
    if (worker === '') return this.#regain()
    if ((await readTexts(this.#postgres, beat, [worker, this.#parts.leaseMs])).length === 0) await this.#lose(worker)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    this.#signs?.close()
    await this.#thread?.close({ type: 'close' })
    if (this.#worker === '') return
    // A row that is left behind ends by itself.
    await endsWithin(readTexts(this.#postgres, removeWorker, [this.#worker]).catch(ignore), lastMs)
  }

  async #register(): Promise<void> {
    const values = [hostname(), process.pid, this.#parts.leaseMs]
    const [[worker]] = (await readTexts(this.#postgres, registerWorker, values)) as [string[]]
    this.#worker = worker!
  }

  async #lose(worker: string): Promise<void> {
    if (this.#closed || worker !== this.#worker) return
    // What is taken under the old id from here on would be nobody's.
    this.#worker = ''
    this.#parts.lost()
    await this.#regain()
  }

  /** One at a time; one that fails is followed by that of the next look. */
  #regain(): Promise<void> {
    const regain = async (): Promise<void> => {
      try {
        await this.#register()
        this.#thread?.tell({ type: 'hold', worker: this.#worker })
        this.#parts.back()
      } finally {
        this.#regaining = undefined
      }
    }
    this.#regaining ??= regain()
    return this.#regaining
  }
}

/** The embedded databases that have a worker in this process. */
const held = new WeakSet<Postgres>()

function ignore(): void {}
