// A thread of its own beside the event loop: it holds the lease of the process.
import { workerData } from 'node:worker_threads'
import { openPostgres, readTexts } from '../../../postgres/index.ts'
import { holdLease } from '../hold-lease.ts'
import type { LeaseThreadData } from './leases.ts'
import { beat } from './statements.ts'

const { options, worker, leaseMs } = workerData as LeaseThreadData
const opened = openPostgres({ ...options, sharedConnections: 1, maxSharedConnections: 1, maxTransactions: 1 })

holdLease({
  worker,
  heartbeatMs: leaseMs / 4,
  blockedMs: leaseMs / 4,
  beat: async (held) => (await readTexts(await opened, beat, [held, leaseMs])).length > 0,
  close: () => void opened.then((postgres) => postgres.close({ timeout: 1000 })),
})
// The thread fails with it, and is followed by another one.
await opened
