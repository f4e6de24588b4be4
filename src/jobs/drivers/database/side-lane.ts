import type { LeasedJob } from '../../contract.ts'
import type { Lane, LaneAsk } from './lanes.ts'

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

/**
 * Whose turn it is: in a queue that of lanes with a priority above 0, of the side lane and those of 0 by turns, and last of those below.
 * Between queues they take turns.
 */
export class SideTurns {
  readonly #side: SideLane
  readonly #again: () => void
  #sideFirst = false
  /** Whose lanes of a low priority are left alone for now. */
  #busy: ReadonlySet<string> = new Set()
  #timer: NodeJS.Timeout | undefined

  /** `again` has the lanes looked at once more. */
  constructor(side: SideLane, again: () => void) {
    this.#side = side
    this.#again = again
  }

  /** Begins jobs of the side lane when it is their turn before those of lanes. False when it is not, or there are none. */
  begin(room: number, { before, open }: { readonly before: readonly LaneAsk[]; readonly open: OpenOf }): boolean {
    const waits = (queue: string): boolean => this.#side.ready((other) => (other === queue ? 1 : 0))
    if (before.some(({ lane }) => lane.priority >= 0 || !waits(lane.queue))) {
      if (!this.#side.ready(open)) return false
      this.#sideFirst = !this.#sideFirst
      if (!this.#sideFirst) return false
    }
    return this.#side.begin(room, open) > 0
  }

  /** False for a lane below 0 while anything of its queue is on its way past the lanes, as far as was asked. */
  isOpen({ queue, priority }: Lane): boolean {
    return priority >= 0 || !this.#busy.has(queue)
  }

  /** Those of them that may be taken: for lanes below 0 it is asked first. */
  async allowed(asks: readonly LaneAsk[]): Promise<readonly LaneAsk[]> {
    const low = asks.filter(({ lane }) => lane.priority < 0)
    if (low.length === 0) return asks
    const busy = await this.#side.busy([...new Set(low.map(({ lane }) => lane.queue))])
    if (busy.size === 0) return asks
    clearTimeout(this.#timer)
    this.#busy = new Set([...this.#busy, ...busy])
    const end = (): void => {
      this.#busy = new Set()
      this.#again()
    }
    this.#timer = setTimeout(end, besideMs)
    this.#timer.unref()
    return asks.filter(({ lane }) => this.isOpen(lane))
  }
}
