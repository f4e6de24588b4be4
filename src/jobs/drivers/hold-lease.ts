import { parentPort } from 'node:worker_threads'
import { LoopWatch } from './loop-watch.ts'

/** What the thread is told that holds the lease of a worker process. */
export type LeaseOrder =
  /** The id that the process has from now on; empty while it has none. */
  | { readonly type: 'hold'; readonly worker: string }
  /** Nothing runs longer than this, in milliseconds from now: a loop that is silent for longer has gone astray. */
  | { readonly type: 'alive'; readonly mostMs: number }
  | { readonly type: 'close' }

/** What the thread tells. */
export interface LeaseNews {
  readonly type: 'lost'
  readonly worker: string
}

/** The parts of {@link holdLease}. */
interface HeldLease {
  /** Whose lease it is, at first. */
  readonly worker: string
  readonly heartbeatMs: number
  /** A loop that is silent for so long is blocked. */
  readonly blockedMs: number
  /** Gives a heartbeat. Resolves to false when the lease is lost. */
  readonly beat: (worker: string) => Promise<boolean>
  /** Ends what a heartbeat goes over, also after one that was under way. */
  readonly close: () => void
}

/** What a thread does beside the event loop: it says that the process is alive while a job keeps the loop from saying so. */
export function holdLease({ worker: first, heartbeatMs, blockedMs, beat, close }: HeldLease): void {
  const port = parentPort!
  const loop = new LoopWatch()
  let worker = first
  let closed = false

  const giveBeat = async (): Promise<void> => {
    loop.report(blockedMs)
    const held = worker
    if (loop.astray || held === '') return
    try {
      if (!(await beat(held))) port.postMessage({ type: 'lost', worker: held } satisfies LeaseNews)
    } finally {
      if (closed) close()
    }
  }

  const timer = setInterval(() => void giveBeat().catch(() => {}), heartbeatMs)
  port.on('message', (order: LeaseOrder) => {
    switch (order.type) {
      case 'hold':
        worker = order.worker
        break
      case 'alive':
        loop.alive(order.mostMs)
        break
      case 'close':
        closed = true
        clearInterval(timer)
        port.close()
        close()
        break
    }
  })
}
