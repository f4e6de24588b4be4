// A thread of its own beside the event loop: it holds the lease of the process.
import { workerData } from 'node:worker_threads'
import { holdLease } from '../hold-lease.ts'
import type { LeaseThreadData } from './leases.ts'
import { RedisLink } from './redis-link.ts'
import { beat, heartbeatMs } from './scripts/lease.ts'

const { address, prefix, worker } = workerData as LeaseThreadData
let link: RedisLink | undefined

holdLease({
  worker,
  heartbeatMs,
  blockedMs: heartbeatMs,
  beat: async (held) => {
    link ??= await RedisLink.open(address, prefix)
    return (await link.run(beat, [held])) !== 0
  },
  close: () => link?.close(),
})
