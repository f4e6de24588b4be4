// A thread of its own beside the event loop: it says that the process is alive while a job keeps the loop from saying so.
import { writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import type { LeaseNews, LeaseOrder, LeaseThreadData } from './leases.ts'
import { RedisLink } from './redis-link.ts'
import { beat, heartbeatMs } from './scripts/lease.ts'

/** A loop that is silent for so long is blocked. */
const blockedMs = 5000
/** What runs over its time is ended by its own time-out, if the loop is not blocked; that may take a while. */
const graceMs = 30_000

const { address, prefix, worker: first } = workerData as LeaseThreadData
const port = parentPort!
let worker = first
let aliveAt = performance.now()
let mostMs = Number.POSITIVE_INFINITY
let reported = false
let closed = false
let link: RedisLink | undefined

async function giveBeat(): Promise<void> {
  const silentMs = performance.now() - aliveAt
  if (silentMs > blockedMs && !reported) {
    reported = true
    // Not console: in a thread it goes through the loop that is blocked.
    writeSync(
      2,
      `A job blocks the event loop of process ${process.pid}; give it sandbox: true, or hand the loop back between steps.\n`,
    )
  }
  // Whatever runs there should have ended long ago: others may have it.
  if (silentMs > mostMs + graceMs) return
  const held = worker
  link ??= await RedisLink.open(address, prefix)
  if (closed) return link.close()
  const lost = (await link.run(beat, [held])) === 0
  if (lost) port.postMessage({ type: 'lost', worker: held } satisfies LeaseNews)
}

const timer = setInterval(() => void giveBeat().catch(() => {}), heartbeatMs)
port.on('message', (order: LeaseOrder) => {
  switch (order.type) {
    case 'hold':
      worker = order.worker
      break
    case 'alive':
      aliveAt = performance.now()
      mostMs = order.mostMs
      reported = false
      break
    case 'close':
      closed = true
      clearInterval(timer)
      port.close()
      link?.close()
      break
  }
})
