// A thread of its own beside the event loop: it holds the lease of the process.
import { workerData } from 'node:worker_threads'
import { holdLease } from '../hold-lease.ts'
import type { LeaseThreadData } from './leases.ts'
import { RedisLink } from './redis-link.ts'
import { beat } from './scripts/lease.ts'

const { address, prefix, worker, leaseMs } = workerData as LeaseThreadData
let link: RedisLink | undefined

holdLease({
  worker,
  heartbeatMs: leaseMs / 4,
  blockedMs: leaseMs / 4,
  beat: async (held) => {
    link ??= await RedisLink.open(address, prefix)
    return (await link.run(beat, [held, leaseMs])) !== 0
  },
  close: () => link?.close(),
})
