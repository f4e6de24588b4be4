import type {} from '../../../core/buffer-slices.ts'
import type { ReadAnswer, StoredEntry } from '../../contract.ts'
import type { KeyNames } from './key-names.ts'
import { readAged } from './read-aged.ts'
import { isReply } from './redis-errors.ts'
import type { RedisNode } from './redis-node.ts'
import type { Topology } from './topology.ts'

/** What a read comes to, in the order of its keys and tags. */
interface Answers {
  readonly entries: (StoredEntry | undefined)[]
  readonly versions: (string | undefined | null)[]
}

/** What one command asks for; all of it is in one slot. The numbers are places in the read. */
interface Part {
  readonly node: RedisNode
  readonly names: string[]
  readonly keys: number[]
  readonly tags: number[]
}

/** Redis serves nobody else while it answers one command. */
const mostPerCommand = 500

/** Reads entries and versions: on one server with one MGET. */
export class Reads {
  readonly #topology: Topology
  readonly #names: KeyNames

  constructor(topology: Topology, names: KeyNames) {
    this.#topology = topology
    this.#names = names
  }

  async read(keys: readonly string[], tags: readonly string[], ages: boolean): Promise<ReadAnswer> {
    const answers: Answers = {
      entries: new Array<undefined>(keys.length).fill(undefined),
      versions: new Array<null>(tags.length).fill(null),
    }
    const parts = this.#split(keys, tags)
    const asked = await Promise.all(parts.map((part) => this.#ask(part, ages, answers)))
    // Of several servers those that answer are worth having; with none of them there is no answer.
    if (parts.length > 0 && asked.every((failure) => failure !== undefined)) throw asked[0]
    return answers
  }

  #split(keys: readonly string[], tags: readonly string[]): Part[] {
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
    for (let i = 0; i < keys.length; i++) partOf(this.#names.entry(keys[i]!))?.keys.push(i)
    for (let i = 0; i < tags.length; i++) partOf(this.#names.version(tags[i]!))?.tags.push(i)
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
