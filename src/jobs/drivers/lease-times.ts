/** How long a worker process is taken for alive after its last heartbeat, in milliseconds. */
export const usualLeaseMs = 20_000

/**
 * In how long a worker looks next for leases that are over: after a fifth of one, give or take a quarter, so that not all look at once. What a
 * killed worker ran begins again within 30 s by this, its lease, and the time that suspects take.
 */
export function nextLookMs(lease: number, random: number = Math.random()): number {
  return (lease / 5) * (0.75 + random / 2)
}

/** How often a loop says that it goes round, to the thread that holds its lease: twice as often as that looks whether it is blocked. */
export function signsEveryMs(lease: number): number {
  return Math.min(1000, lease / 8)
}
