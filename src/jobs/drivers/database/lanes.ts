import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Suspicion } from '../suspects.ts'

/** What jobs wait in line with: those of one queue, priority and tenant. */
export interface Lane {
  /** A number of 64 bits, as text. */
  readonly id: string
  readonly queue: string
  readonly priority: number
  readonly limit: string | undefined
}

/** What names a lane. */
export interface LaneParts {
  readonly queue: string
  readonly priority: number
  readonly tenant: string
  readonly limit: string | undefined
}

const ids = new LRUCache<string, string>({ max: 10_000 })

/**
 * The id of a lane: 64 bits of a hash, the last two of which are 0. Jobs whose worker has died, or may have, go on in the lane beside it whose
 * last bit is 1; those that have lost two, in the one where both are.
 */
export function laneId({ queue, priority, tenant, limit = '' }: LaneParts): string {
  const name = `${queue}\0${priority}\0${limit}\0${tenant}`
  let id = ids.get(name)
  if (id === undefined) {
    id = (createHash('sha256').update(name).digest().readBigInt64BE(0) & ~3n).toString()
    ids.set(name, id)
  }
  return id
}

/** Whether the jobs of a lane are suspects: their worker has died while they ran, or may have; prime ones have lost two. */
export function suspicionOf(laneId: string): Suspicion {
  if ((laneId.charCodeAt(laneId.length - 1) & 1) === 0) return 'none'
  return (BigInt(laneId) & 3n) === 3n ? 'prime' : 'suspect'
}

/** How long a lane that has nothing is remembered: until then, what is added to it is looked for from where it ended. */
const rememberedMs = 60_000

const nothing: Planned = { ofQueue: 0, alike: 0 }

interface Known extends Lane {
  /** Where to look from: everything before was taken. */
  mark: bigint
  /** The least `seq` that was noted since it was last planned: who is asking now may not see it. */
  noted: bigint | undefined
  /** Where it was taken from at the last look. */
  looked: bigint | undefined
  /** False when nothing is left in it, as far as this process knows. */
  ready: boolean
  emptySince: number
}

/** How many jobs are about to be taken. */
export interface Planned {
  /** Of the queue. */
  readonly ofQueue: number
  /** Of all lanes that are as suspect. */
  readonly alike: number
}

/** How many jobs may be taken of a lane when so many are about to be. */
type OpenOfLane = (lane: Lane, planned: Planned) => number

/** A lane to take from. */
export interface LaneAsk {
  readonly lane: Lane
  readonly mark: bigint
  readonly most: number
}

/**
 * The lanes that this process has heard of. It takes from where it left off, and not from the beginning: what was taken before leaves
 * dead rows behind, which a transaction that stays open keeps from being cleared away, and which every search would walk over.
 */
export class LaneBook {
  /** First those whose turn is the longest ago. */
  readonly #lanes = new Map<string, Known>()
  /** In the same order. */
  readonly #queues = new Set<string>()

  /** Something is in a lane, from `seq` on. */
  note(lane: Lane, seq: bigint): void {
    const known = this.#lanes.get(lane.id)
    if (known === undefined) {
      this.#queues.add(lane.queue)
      this.#lanes.set(lane.id, { ...lane, mark: seq, noted: seq, looked: undefined, ready: true, emptySince: 0 })
      return
    }
    known.ready = true
    if (known.noted === undefined || seq < known.noted) known.noted = seq
    if (seq < known.mark) known.mark = seq
  }

  /**
   * Where to look for what nobody has told of: from where it was taken at the look before. What was taken since may have come back, where a
   * claim was undone.
   */
  look(): { readonly lanes: readonly string[]; readonly marks: readonly bigint[] } {
    const known = [...this.#lanes.values()]
    const looked = known.flatMap(({ id, looked: mark }) => (mark === undefined ? [] : [{ id, mark }]))
    for (const lane of known) lane.looked = lane.mark
    return { lanes: looked.map(({ id }) => id), marks: looked.map(({ mark }) => mark) }
  }

  /** What came of taking from a lane: the greatest `seq` of `count` jobs. */
  took(ask: LaneAsk, { count, greatest }: { readonly count: number; readonly greatest: bigint | undefined }): void {
    const known = this.#lanes.get(ask.lane.id)
    if (known === undefined) return
    const { noted } = known
    const next = greatest === undefined ? known.mark : greatest + 1n
    known.mark = noted !== undefined && noted < next ? noted : next
    if (count > 0) {
      this.#lanes.delete(known.id)
      this.#lanes.set(known.id, known)
      this.#queues.delete(known.queue)
      this.#queues.add(known.queue)
    }
    if (count >= ask.most || noted !== undefined) return
    known.ready = false
    known.emptySince = performance.now()
  }

  /**
   * What to take, `room` jobs at most: of each queue from the lanes with its highest priority alike. Queues share the room, and so do the
   * lanes of a queue, those first that have had none for the longest.
   */
  plan(room: number, open: OpenOfLane): LaneAsk[] {
    const best = this.#best(open)
    const queues = [...this.#queues].filter((queue) => best.has(queue))
    const alikes = { none: 0, suspect: 0, prime: 0 }
    let left = room
    return queues.flatMap((queue, i) => {
      let share = Math.ceil(left / (queues.length - i))
      let ofQueue = 0
      const turns = best.get(queue)!.slice(0, share)
      return turns.flatMap((lane, j) => {
        const suspicion = suspicionOf(lane.id)
        const planned = { ofQueue, alike: alikes[suspicion] }
        const most = Math.min(Math.ceil(share / (turns.length - j)), open(lane, planned))
        if (most <= 0) return []
        share -= most
        left -= most
        ofQueue += most
        alikes[suspicion] += most
        lane.noted = undefined
        return [{ lane, mark: lane.mark, most }]
      })
    })
  }

  /** The queues that have lanes of a priority above 0 to take from. */
  queuesAbove0(open: OpenOfLane): ReadonlySet<string> {
    const best = [...this.#best(open)]
    return new Set(best.filter(([, [first]]) => first!.priority > 0).map(([queue]) => queue))
  }

  /** The lanes of each queue whose turn it is. */
  #best(open: OpenOfLane): ReadonlyMap<string, readonly Known[]> {
    const best = new Map<string, Known[]>()
    const now = performance.now()
    for (const lane of this.#lanes.values()) {
      if (!lane.ready) {
        if (now - lane.emptySince > rememberedMs) this.#lanes.delete(lane.id)
        continue
      }
      const alike = best.get(lane.queue)
      if ((alike !== undefined && lane.priority < alike[0]!.priority) || open(lane, nothing) <= 0) continue
      if (alike !== undefined && lane.priority === alike[0]!.priority) alike.push(lane)
      else best.set(lane.queue, [lane])
    }
    return best
  }
}
