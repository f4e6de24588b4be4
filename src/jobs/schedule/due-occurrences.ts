import type { Timing } from './timing.ts'

/** What becomes of occurrences that nobody was there for. */
export type MissedPolicy = 'skip' | 'once' | 'all'

/** An occurrence is missed when it is so late, or when the next one has come. */
const lateMs = 60_000
/** Of those that were missed, how many are made up for in one transaction. */
const mostAtOnce = 100

/** What is to be run of a schedule now, and when it occurs next; it may be due again at once. Epoch milliseconds. */
export interface DueOccurrences {
  readonly run: readonly number[]
  readonly next: number | undefined
}

/** What is to be run of a schedule whose next occurrence was `due`, which is not after `now`. */
export function dueOccurrences(
  timing: Timing,
  { due, now, missed }: { readonly due: number; readonly now: number; readonly missed: MissedPolicy },
): DueOccurrences {
  if (missed === 'all') {
    const run: number[] = []
    let next: number | undefined = due
    while (next !== undefined && next <= now && run.length < mostAtOnce) {
      run.push(next)
      next = timing.next(next)
    }
    return { run, next }
  }
  const last = Math.max(due, timing.last(now, due))
  return { run: missed === 'skip' && now - last > lateMs ? [] : [last], next: timing.next(last) }
}
