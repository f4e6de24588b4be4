import type {} from '../../../core/buffer-slices.ts'
import type { ReadAnswer, StoredEntry } from '../../contract.ts'
import type { KeyNames } from './key-names.ts'
import { readAged } from './read-aged.ts'
import { isReply } from './redis-errors.ts'
import type { RedisNode } from './redis-node.ts'
import type { Topology } from './topology.ts'

interface Waiter {
  readonly keysFrom: number
  readonly keys: number
  /** The places of its tags among the batch's. */
  readonly tags: readonly number[]
  readonly ages: boolean
  resolve(answer: ReadAnswer): void
  reject(error: unknown): void
}

interface Batch {
  readonly waiters: Waiter[]
  readonly keys: string[]
  readonly tags: Map<string, number>
  ages: boolean
}

/** What a batch comes to, in the order of its keys and tags. */
interface Answers {
  readonly entries: (StoredEntry | undefined)[]
  readonly versions: (string | undefined | null)[]
}

/** What one command asks for; all of it is in one slot. The numbers are places in the batch. */
interface Part {
  readonly node: RedisNode
  readonly names: string[]
  readonly keys: number[]
  readonly tags: number[]
}

/** Redis serves nobody else while it answers one command. */
const mostPerCommand = 500

/** Joins the reads of one tick: on one server they are one MGET. */
export class TickReads {
  readonly #topology: Topology
  readonly #names: KeyNames
  #open: Batch | undefined

  constructor(topology: Topology, names: KeyNames) {
    this.#topology = topology
    this.#names = names
  }

  read(keys: readonly string[], tags: readonly string[], ages: boolean): Promise<ReadAnswer> {
    const batch = (this.#open ??= this.#start())
    if (ages) batch.ages = true
    const keysFrom = batch.keys.length
    for (const key of keys) batch.keys.push(this.#names.entry(key))
    const places = tags.map((tag) => {
      let place = batch.tags.get(tag)
      if (place === undefined) batch.tags.set(tag, (place = batch.tags.size))
      return place
    })
    return new Promise((resolve, reject) => {
      batch.waiters.push({ keysFrom, keys: keys.length, tags: places, ages, resolve, reject })
    })
  }

  #start(): Batch {
    const batch: Batch = { waiters: [], keys: [], tags: new Map(), ages: false }
    // When every promise that is settled by now has been heard.
    queueMicrotask(() =>
      process.nextTick(() => {
        this.#open = undefined
        void this.#send(batch)
      }),
    )
    return batch
  }

  async #send(batch: Batch): Promise<void> {
    const answers: Answers = {
      entries: new Array<undefined>(batch.keys.length).fill(undefined),
      versions: new Array<null>(batch.tags.size).fill(null),
    }
    const parts = this.#split(batch)
    const failures = (await Promise.all(parts.map((part) => this.#ask(part, batch.ages, answers)))).filter(
      (failure) => failure !== undefined,
    )
    // Of several servers those that answer are worth having; with none of them there is no answer.
    const failed = parts.length === failures.length && parts.length > 0
    for (const waiter of batch.waiters) {
      if (failed) waiter.reject(failures[0])
      else waiter.resolve(answerOf(waiter, answers))
    }
  }

  #split(batch: Batch): Part[] {
    const parts: Part[] = []
    const bySlot = new Map<number, Part>()
    const partOf = (name: string): Part | undefined => {
      const slot = this.#topology.slotOf(name)
      let part = bySlot.get(slot)
      if (part === undefined || part.names.length === mostPerCommand) {
        const node = this.#topology.nodeOf(slot)
        if (node === undefined) return undefined
        part = { node, names: [], keys: [], tags: [] }
        bySlot.set(slot, part)
        parts.push(part)
      }
      part.names.push(name)
      return part
    }
    // Keys first: the script tells the ages of the first names of a part.
    for (let i = 0; i < batch.keys.length; i++) partOf(batch.keys[i]!)?.keys.push(i)
    for (const [tag, place] of batch.tags) partOf(this.#names.version(tag))?.tags.push(place)
    return parts
  }

  /** Fills in the answers of one part; resolves with why there are none. */
  async #ask({ node, names, keys, tags }: Part, ages: boolean, answers: Answers): Promise<unknown> {
    let values: readonly (Buffer | null)[]
    let left: readonly number[] | undefined
    try {
      if (ages && keys.length > 0) [values, left] = await node.run((client) => readAged(client, names, keys.length))
      else values = await node.run((client) => client.mgetBuffer(names))
    } catch (error) {
      // The slot has moved, or is moving now: what is in it is not cached until it is known where it is.
      if (isReply(error)) void this.#topology.refresh().catch(() => {})
      return error
    }
    const { runId } = node
    for (let i = 0; i < keys.length; i++) {
      const bytes = values[i] ?? null
      if (bytes !== null) answers.entries[keys[i]!] = { bytes, remainingMs: left && Math.max(0, left[i]!) }
    }
    for (let i = 0; i < tags.length; i++) {
      const version = values[keys.length + i] ?? null
      answers.versions[tags[i]!] = version === null ? undefined : version.latin1Slice(0, version.length) + runId
    }
    return undefined
  }
}

function answerOf({ keysFrom, keys, tags, ages }: Waiter, { entries, versions }: Answers): ReadAnswer {
  const own = entries.slice(keysFrom, keysFrom + keys)
  return {
    entries: ages ? own : own.map((entry) => entry && { bytes: entry.bytes, remainingMs: undefined }),
    versions: tags.map((place) => versions[place]),
  }
}
