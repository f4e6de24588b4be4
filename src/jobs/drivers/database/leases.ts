import { hostname } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { readTexts, type Postgres, type PostgresOptions } from '../../../postgres/index.ts'
import { beat, endWorkers, heartbeatMs, registerWorker, removeWorker } from './statements.ts'

/** What the thread is told. */
export type LeaseOrder =
  | { readonly type: 'hold'; readonly worker: string }
  /** Nothing runs longer than this, in milliseconds from now: a loop that is silent for longer has gone astray. */
  | { readonly type: 'alive'; readonly mostMs: number }
  | { readonly type: 'close' }

/** What the thread tells. */
export type LeaseNews =
  | { readonly type: 'lost'; readonly worker: string }
  | { readonly type: 'beat'; readonly worker: string }

/** What the thread begins with. */
export interface LeaseThreadData {
  readonly options: PostgresOptions
  readonly worker: string
}

const aliveMs = 1000

/**
 * The lease that a worker process has on everything it runs: one row, which one heartbeat renews. Where the database is a server it
 * is a thread of its own that gives it, on a connection of its own, so that a job that blocks the event loop is not run twice.
 */
export class Lease {
  readonly #postgres: Postgres
  readonly #options: PostgresOptions | undefined
  readonly #lost: () => void
  /** How long what runs now may still run. */
  readonly #mostMs: () => number
  #thread: Worker | undefined
  #timer: NodeJS.Timeout | undefined
  #worker = ''
  #closed = false

  constructor(
    postgres: Postgres,
    parts: { readonly options: PostgresOptions | undefined; readonly lost: () => void; readonly mostMs: () => number },
  ) {
    this.#postgres = postgres
    this.#options = parts.options
    this.#lost = parts.lost
    this.#mostMs = parts.mostMs
  }

  /** The id that this process takes jobs under; another one once the lease was lost. */
  get worker(): string {
    return this.#worker
  }

  async open(): Promise<void> {
    // Whoever had it open before has ended: a folder is one process's.
    if (this.#postgres.engine === 'pglite' && !held.has(this.#postgres)) await readTexts(this.#postgres, endWorkers)
    held.add(this.#postgres)
    await this.#register()
    if (this.#options === undefined) {
      this.#timer = setInterval(() => void this.#beat().catch(ignore), heartbeatMs)
    } else {
      this.#startThread(this.#options)
      this.#timer = setInterval(() => this.#tell({ type: 'alive', mostMs: this.#mostMs() }), aliveMs)
    }
    this.#timer.unref()
  }

  /** Comes before leases of others are taken: a loop that was blocked would take its own with them. */
  async refresh(): Promise<void> {
    if (this.#thread === undefined) await this.#beat()
  }

  async #beat(): Promise<void> {
    const worker = this.#worker
    if ((await readTexts(this.#postgres, beat, [worker])).length === 0) await this.#lose(worker)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    const thread = this.#thread
    if (thread !== undefined) {
      const ended = new Promise((resolve) => thread.once('exit', resolve))
      thread.ref()
      this.#tell({ type: 'close' })
      await ended
    }
    await readTexts(this.#postgres, removeWorker, [this.#worker]).catch(ignore)
  }

  async #register(): Promise<void> {
    const [[worker]] = (await readTexts(this.#postgres, registerWorker, [hostname(), process.pid])) as [string[]]
    this.#worker = worker!
  }

  async #lose(worker: string): Promise<void> {
    if (this.#closed || worker !== this.#worker) return
    this.#lost()
    await this.#register()
    this.#tell({ type: 'hold', worker: this.#worker })
  }

  #startThread(options: PostgresOptions): void {
    const file = new URL(`./lease-thread${extname(import.meta.url)}`, import.meta.url)
    const workerData: LeaseThreadData = { options, worker: this.#worker }
    const thread = new Worker(file, { workerData })
    thread.unref()
    thread.on('message', (news: LeaseNews) => {
      if (news.type === 'lost') void this.#lose(news.worker).catch(ignore)
    })
    thread.on('error', (error) => {
      process.emitWarning(`The thread that holds the leases of jobs has failed: ${String(error)}`, 'PlimsollWarning')
    })
    thread.once('exit', () => {
      if (!this.#closed) setTimeout(() => this.#closed || this.#startThread(options), aliveMs).unref()
    })
    this.#thread = thread
  }

  #tell(order: LeaseOrder): void {
    this.#thread?.postMessage(order)
  }
}

/** The embedded databases that have a worker in this process. */
const held = new WeakSet<Postgres>()

function ignore(): void {}
