import type { LeasedJob } from '../../contract.ts'
import type { LaneAsk } from './lanes.ts'

/** How many more jobs of a queue may begin now. */
export type OpenOf = (queue: string) => number

/**
 * Jobs that reach a consumer past the tables' lanes: they are at hand when they arrive, and have the priority 0. Those that run are in the
 * tables' books once they are adopted.
 */
export interface SideLane {
  /** How many run that have not been adopted. */
  readonly running: number
  runningOf(queue: string): number
  /** How many have ended and are not stored yet. */
  readonly storing: number
  /** True for a job that runs and may be adopted by now. */
  has(id: string): boolean
  /** Begins jobs, so many at most. Returns how many. */
  begin(most: number, open: OpenOf): number
  /** True when a job is at hand that may begin. */
  ready(open: OpenOf): boolean
  /** The queues among these in which jobs still wait outside of the lanes, here or elsewhere. */
  busy(queues: readonly string[]): Promise<ReadonlySet<string>>
}

/** A job of a side lane whose run has been put into the tables. */
export interface AdoptedJob {
  readonly job: LeasedJob
  readonly laneId: string
  readonly seq: bigint
  readonly watched: boolean
}

/** How long lanes of a low priority are left alone while jobs of the side lane are elsewhere. */
const besideMs = 25

/** Whose turn it is: that of lanes with a priority above 0, of the side lane and those of 0 by turns, and last of those below. */
export class SideTurns {
  readonly #side: SideLane
  readonly #again: () => void
  #sideFirst = false
  #timer: NodeJS.Timeout | undefined

  /** `again` has the lanes looked at once more. */
  constructor(side: SideLane, again: () => void) {
    this.#side = side
    this.#again = again
  }

  /** Begins jobs of the side lane when it is their turn before lanes of that priority. False when it is not, or there are none. */
  begin(room: number, { before, open }: { readonly before: number | undefined; readonly open: OpenOf }): boolean {
    if (before !== undefined && before >= 0) {
      if (before > 0 || !this.#side.ready(open)) return false
      this.#sideFirst = !this.#sideFirst
      if (!this.#sideFirst) return false
    }
    return this.#side.begin(room, open) > 0
  }

  /** Those of them that may be taken: lanes below 0 wait while anything of their queues is on its way past the lanes. */
  async allowed(asks: readonly LaneAsk[]): Promise<readonly LaneAsk[]> {
    if (asks.length === 0 || asks[0]!.lane.priority >= 0) return asks
    const busy = await this.#side.busy([...new Set(asks.map(({ lane }) => lane.queue))])
    if (busy.size === 0) return asks
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#again, besideMs)
    this.#timer.unref()
    return asks.filter(({ lane }) => !busy.has(lane.queue))
  }
}
