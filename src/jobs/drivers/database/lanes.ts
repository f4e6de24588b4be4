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

  /** Something is in a lane, from `seq` on. */
  note(lane: Lane, seq: bigint): void {
    const known = this.#lanes.get(lane.id)
    if (known === undefined) {
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
  took(ask: LaneAsk, count: number, greatest: bigint | undefined): void {
    const known = this.#lanes.get(ask.lane.id)
    if (known === undefined) return
    const { noted } = known
    const next = greatest === undefined ? known.mark : greatest + 1n
    known.mark = noted !== undefined && noted < next ? noted : next
    if (count > 0) {
      this.#lanes.delete(known.id)
      this.#lanes.set(known.id, known)
    }
    if (count >= ask.most || noted !== undefined) return
    known.ready = false
    known.emptySince = performance.now()
  }

  /**
   * What to take, `room` jobs at most: of the lanes with the highest priority alike, those first that have had none for the longest. `open` says how many jobs may be
   * taken of a lane when so many are about to be.
   */
  plan(room: number, open: (lane: Lane, planned: Planned) => number): LaneAsk[] {
    let best: Known[] = []
    const now = performance.now()
    for (const lane of this.#lanes.values()) {
      if (!lane.ready) {
        if (now - lane.emptySince > rememberedMs) this.#lanes.delete(lane.id)
        continue
      }
      const [first] = best
      if ((first !== undefined && lane.priority < first.priority) || open(lane, nothing) <= 0) continue
      if (first !== undefined && lane.priority > first.priority) best = []
      best.push(lane)
    }
    const turns = best.slice(0, room)
    const ofQueues = new Map<string, number>()
    const alikes = { none: 0, suspect: 0, prime: 0 }
    let left = room
    return turns.flatMap((lane, i) => {
      const suspicion = suspicionOf(lane.id)
      const planned = { ofQueue: ofQueues.get(lane.queue) ?? 0, alike: alikes[suspicion] }
      const most = Math.min(Math.ceil(left / (turns.length - i)), open(lane, planned))
      if (most <= 0) return []
      left -= most
      ofQueues.set(lane.queue, planned.ofQueue + most)
      alikes[suspicion] += most
      lane.noted = undefined
      return [{ lane, mark: lane.mark, most }]
    })
  }
}
