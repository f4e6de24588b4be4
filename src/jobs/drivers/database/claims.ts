import { readTexts, type Postgres } from '../../../postgres/index.ts'
import type { JobLimit } from '../../contract.ts'
import { toClaimed, type ClaimedJob } from './job-rows.ts'
import type { LaneAsk } from './lanes.ts'
import { claimJobs, countActive, lockLimit, refillRate, spendRate } from './statements.ts'

/** What a limited lane has come to: no jobs while its bound is reached, and when to ask again. */
export interface LimitedClaim {
  readonly claimed: readonly ClaimedJob[]
  /** How many were allowed. */
  readonly allowed: number
  readonly againInMs: number
}

/** How long a bound on concurrency is left alone once it is reached, unless a run of it ends here. */
const busyMs = 200

/** Takes the first jobs of lanes; what other workers take at the same time is skipped. */
export async function claim(postgres: Postgres, worker: string, asks: readonly LaneAsk[]): Promise<ClaimedJob[]> {
  const rows = await readTexts(postgres, claimJobs, [
    asks.map(({ lane }) => lane.id),
    asks.map(({ mark }) => mark),
    asks.map(({ most }) => most),
    worker,
  ])
  return rows.map(toClaimed)
}

/** Takes jobs that are bounded by `limit`, one process at a time. */
export function claimLimited(
  postgres: Postgres,
  worker: string,
  { ask, limit }: { readonly ask: LaneAsk; readonly limit: JobLimit },
): Promise<LimitedClaim> {
  const key = ask.lane.limit!
  return postgres.transaction(async (transaction) => {
    await transaction.execute(lockLimit, [key])
    let { most } = ask
    let againInMs = 0
    if (limit.concurrency !== undefined) {
      const [[active]] = (await readTexts(transaction, countActive, [key])) as [string[]]
      most = Math.min(most, limit.concurrency - Number(active))
      if (most <= 0) return { claimed: [], allowed: 0, againInMs: busyMs }
    }
    if (limit.rate !== undefined) {
      const { count, perMs } = limit.rate
      const perSecond = (count / perMs) * 1000
      const [[tokens]] = (await readTexts(transaction, refillRate, [key, count, perSecond])) as [string[]]
      most = Math.min(most, Math.floor(Number(tokens)))
      againInMs = ((1 - (Number(tokens) % 1)) / perSecond) * 1000
      if (most <= 0) return { claimed: [], allowed: 0, againInMs }
    }
    const claimed = await claim(postgres, worker, [{ ...ask, most }])
    if (limit.rate !== undefined && claimed.length > 0) await transaction.execute(spendRate, [key, claimed.length])
    return { claimed, allowed: most, againInMs }
  })
}
