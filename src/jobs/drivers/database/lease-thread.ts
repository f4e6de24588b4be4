// A thread of its own beside the event loop: it says that the process is alive while a job keeps the loop from saying so.
import { writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { openPostgres, readTexts } from '../../../postgres/index.ts'
import type { LeaseNews, LeaseOrder, LeaseThreadData } from './leases.ts'
import { beat, heartbeatMs } from './statements.ts'

/** A loop that is silent for so long is blocked. */
const blockedMs = 5000
/** What runs over its time is ended by its own time-out, if the loop is not blocked; that may take a while. */
const graceMs = 30_000

const { options, worker: first } = workerData as LeaseThreadData
const port = parentPort!
let worker = first
let aliveAt = performance.now()
let mostMs = Number.POSITIVE_INFINITY
let reported = false

const postgres = await openPostgres({ ...options, sharedConnections: 1, maxSharedConnections: 1, maxTransactions: 1 })
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
  const rows = await readTexts(postgres, beat, [held])
  tell({ type: rows.length > 0 ? 'beat' : 'lost', worker: held })
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
      void postgres.close({ timeout: 1000 })
      break
  }
})
