// A thread of its own beside the event loop: it says that the process is alive while a job keeps the loop from saying so.
import { writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { openPostgres, readTexts } from '../../../postgres/index.ts'
import type { LeaseNews, LeaseOrder, LeaseThreadData } from './leases.ts'
import { beat } from './statements.ts'

/** What runs over its time is ended by its own time-out, if the loop is not blocked; that may take a while. */
const graceMs = 30_000

const { options, worker: first, leaseMs } = workerData as LeaseThreadData
const heartbeatMs = leaseMs / 4
/** A loop that is silent for so long is blocked. */
const blockedMs = heartbeatMs
const port = parentPort!
let worker = first
let aliveAt = performance.now()
let mostMs = Number.POSITIVE_INFINITY
let reported = false

const opened = openPostgres({ ...options, sharedConnections: 1, maxSharedConnections: 1, maxTransactions: 1 })
const tell = (news: LeaseNews): void => port.postMessage(news)

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
  if (held === '') return
  const rows = await readTexts(await opened, beat, [held, leaseMs])
  if (rows.length === 0) tell({ type: 'lost', worker: held })
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
      clearInterval(timer)
      port.close()
      void opened.then((postgres) => postgres.close({ timeout: 1000 }))
      break
  }
})
// The thread fails with it, and is followed by another one.
await opened
