import { Worker } from 'node:worker_threads'

/** The parts of {@link BesideThread}. */
interface BesideThreadParts<News> {
  readonly module: URL
  /** What it begins with; asked for with each that is started. */
  readonly data: () => unknown
  /** What it does, for the warning when it has failed. */
  readonly does: string
  readonly hear: (news: News) => void
  /** Told when it has ended, and before another one follows. */
  readonly ended?: () => void
}

/** A thread that has failed is followed by another one after so long. */
const againMs = 1000
/** How long the end is waited for. */
const lastMs = 3000

/** A thread beside the event loop, which does not keep the process alive. One that has failed is followed by another one. */
export class BesideThread<Order, News> {
  readonly #parts: BesideThreadParts<News>
  #thread: Worker | undefined
  #closed = false

  constructor(parts: BesideThreadParts<News>) {
    this.#parts = parts
  }

  /** False when there is nobody who would hear an order. */
  get runs(): boolean {
    return this.#thread !== undefined
  }

  start(): void {
    const { module, data, does, hear, ended } = this.#parts
    const thread = new Worker(module, { workerData: data() })
    thread.unref()
    thread.on('message', hear)
    thread.on('error', (error) => {
      process.emitWarning(`The thread that ${does} has failed: ${String(error)}`, 'PlimsollWarning')
    })
    thread.once('exit', () => {
      // Nobody is to wait for its end any more.
      this.#thread = undefined
      ended?.()
      if (!this.#closed) setTimeout(() => this.#closed || this.start(), againMs).unref()
    })
    this.#thread = thread
  }

  tell(order: Order): void {
    this.#thread?.postMessage(order)
  }

  /** Tells it the order by which it ends, and ends it when it has not after a while. */
  async close(order: Order): Promise<void> {
    this.#closed = true
    const thread = this.#thread
    if (thread === undefined) return
    const ended = new Promise((resolve) => thread.once('exit', resolve))
    thread.ref()
    this.tell(order)
    const hung = setTimeout(() => void thread.terminate(), lastMs)
    await ended
    clearTimeout(hung)
  }
}
