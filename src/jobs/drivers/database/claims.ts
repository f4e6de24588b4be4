import { readTexts, type Postgres } from '../../../postgres/index.ts'
import type { JobLimit } from '../../contract.ts'
import { toClaimed, type ClaimedJob } from './job-rows.ts'
import type { LaneAsk } from './lanes.ts'
import { claimJobs, countActive, lockLimit, refillRate, spendRate } from './statements.ts'

/** What has come of asking for jobs of a limit. */
export interface LimitedClaim {
  /** What was asked for of what is allowed. */
  readonly asks: readonly LaneAsk[]
  readonly claimed: readonly ClaimedJob[]
  /** True when as many run now as may. */
  readonly busy: boolean
  /** In how many milliseconds the rate allows another one, when it allows none now. */
  readonly againInMs: number | undefined
}

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

/** How many jobs are asked for at most. */
export function mostOf(asks: readonly LaneAsk[]): number {
  return asks.reduce((sum, { most }) => sum + most, 0)
}

/** How many of a lane were taken, and the greatest `seq` of them. */
export function takenOf(
  { lane }: LaneAsk,
  claimed: readonly ClaimedJob[],
): { readonly count: number; readonly greatest: bigint | undefined } {
  let count = 0
  let greatest: bigint | undefined
  for (const { laneId, seq } of claimed) {
    if (laneId !== lane.id) continue
    count++
    if (greatest === undefined || seq > greatest) greatest = seq
  }
  return { count, greatest }
}

/** Takes jobs of lanes that are bounded by one `limit`, one process at a time. What is allowed is shared out, the first lanes first. */
export function claimLimited(
  postgres: Postgres,
  worker: string,
  { asks, limit }: { readonly asks: readonly LaneAsk[]; readonly limit: JobLimit },
): Promise<LimitedClaim> {
  const key = asks[0]!.lane.limit!
  return postgres.transaction(async (transaction) => {
    await transaction.execute(lockLimit, [key])
    let allowed = mostOf(asks)
    let free = Number.POSITIVE_INFINITY
    let tokens = Number.POSITIVE_INFINITY
    if (limit.concurrency !== undefined) {
      const [[active]] = (await readTexts(transaction, countActive, [key])) as [string[]]
      free = limit.concurrency - Number(active)
      allowed = Math.min(allowed, free)
      if (allowed <= 0) return { asks: [], claimed: [], busy: true, againInMs: undefined }
    }
    const perMs = limit.rate === undefined ? 0 : limit.rate.count / limit.rate.perMs
    if (limit.rate !== undefined) {
      const [[left]] = (await readTexts(transaction, refillRate, [key, limit.rate.count, perMs * 1000])) as [string[]]
      tokens = Number(left)
      allowed = Math.min(allowed, Math.floor(tokens))
    }
    const shares = share(asks, allowed)
    const claimed = shares.length > 0 ? await claim(postgres, worker, shares) : []
    if (limit.rate !== undefined && claimed.length > 0) await transaction.execute(spendRate, [key, claimed.length])
    const missing = 1 - (tokens - claimed.length)
    return {
      asks: shares,
      claimed,
      busy: claimed.length >= free,
      againInMs: missing > 0 ? missing / perMs : undefined,
    }
  })
}

function share(asks: readonly LaneAsk[], allowed: number): LaneAsk[] {
  let left = allowed
  return asks.flatMap((ask, i) => {
    const most = Math.min(ask.most, Math.ceil(left / (asks.length - i)))
    left -= most
    return most > 0 ? [{ ...ask, most }] : []
  })
}
