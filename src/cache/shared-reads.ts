import { isPlimsollError } from '../core/errors.ts'
import type { CacheStore, ReadAnswer, StoredEntry } from './contract.ts'
import { generationOf, isOfGeneration } from './entry.ts'
import type { KeepPlan } from './keep-plan.ts'
import { ReadBatch } from './read-batch.ts'
import type { Snapshot, TagCells } from './tag-cells.ts'

/** What the store has under some keys that have their tags in common. */
export interface SharedRead {
  /** In the order of the keys; only those that are current. */
  readonly entries: readonly (StoredEntry | undefined)[]
  /** The name of the versions they are current under; undefined when the store cannot be reached. */
  readonly generation: string | undefined
  readonly snapshot: Snapshot
  /** When it began. */
  readonly verifiedAt: number
}

/** Reads the store: entries, with the versions that they are valid under. */
export class SharedReads {
  readonly #store: CacheStore
  readonly #cells: TagCells
  readonly #batch: ReadBatch

  constructor(store: CacheStore, cells: TagCells) {
    this.#store = store
    this.#cells = cells
    this.#batch = new ReadBatch(store)
  }

  /** Reads entries and the versions of their tags. `ages` asks how long the entries have left as well. */
  async read(keys: readonly string[], plan: KeepPlan, ages: boolean): Promise<SharedRead> {
    const verifiedAt = performance.now()
    const snapshot = this.#cells.snapshot(plan.tags)
    const mirrored = this.#mirrored(snapshot, verifiedAt)
    try {
      if (mirrored !== undefined) {
        const { entries } = await this.#batch.read(keys, noTags, ages)
        const generation = generationOf(mirrored, plan.form)
        // An entry of another generation may be one of a bump that is still on its way here.
        if (entries.every((entry) => entry === undefined || isOfGeneration(entry.bytes, generation))) {
          return { entries, generation, snapshot, verifiedAt }
        }
      }
      const { entries, versions } = await this.#batch.read(keys, plan.tags, ages)
      const complete = isComplete(versions) ? versions : await this.#complete(plan.tags, versions)
      if (complete === undefined) return unreachable(keys, snapshot, verifiedAt)
      this.#cells.learn(snapshot, complete)
      const generation = generationOf(complete, plan.form)
      const current = entries.map((entry) => (entry && isOfGeneration(entry.bytes, generation) ? entry : undefined))
      return { entries: current, generation, snapshot, verifiedAt }
    } catch (error) {
      if (!isPlimsollError(error, 'PLIMSOLL_CACHE_UNREACHABLE')) throw error
      return unreachable(keys, snapshot, verifiedAt)
    }
  }

  /** Reads the versions alone. @throws PLIMSOLL_CACHE_UNREACHABLE */
  async versions({ tags, form }: KeepPlan): Promise<Omit<SharedRead, 'entries'>> {
    const verifiedAt = performance.now()
    const snapshot = this.#cells.snapshot(tags)
    const { versions } = await this.#store.read([], tags)
    const complete = isComplete(versions) ? versions : await this.#complete(tags, versions)
    return { generation: complete && generationOf(complete, form), snapshot, verifiedAt }
  }

  /** The versions that this process knows, if it would have been told of every bump. */
  #mirrored({ cells }: Snapshot, now: number): readonly string[] | undefined {
    if (cells.length === 0) return noTags
    const { coherence } = this.#store.features
    if (coherence !== 'pushed' || !this.#store.isCurrent(now)) return undefined
    const versions: string[] = []
    for (const { version } of cells) {
      if (version === undefined) return undefined
      versions.push(version)
    }
    return versions
  }

  /** Makes versions for tags that have none; undefined when one of them cannot be reached. */
  async #complete(tags: readonly string[], versions: Versions): Promise<readonly string[] | undefined> {
    const missing = tags.filter((_, i) => versions[i] === undefined)
    const created = missing.length > 0 ? await this.#store.createVersions(missing) : []
    const made = new Map(missing.map((tag, i) => [tag, created[i]]))
    const all = tags.map((tag, i) => (versions[i] === undefined ? made.get(tag) : versions[i]))
    return isComplete(all) ? all : undefined
  }
}

type Versions = ReadAnswer['versions']

const noTags: readonly string[] = []

function isComplete(versions: Versions): versions is readonly string[] {
  return versions.every((version) => typeof version === 'string')
}

function unreachable(keys: readonly string[], snapshot: Snapshot, verifiedAt: number): SharedRead {
  return { entries: keys.map(() => undefined), generation: undefined, snapshot, verifiedAt }
}
