import { isPlimsollError } from '../core/errors.ts'
import type { CacheStore, StoredEntry } from './contract.ts'
import { generationOf, generationOfEntry } from './entry.ts'
import type { KeepPlan } from './keep-plan.ts'
import { ReadBatch } from './read-batch.ts'
import type { Snapshot, TagCells } from './tag-cells.ts'

/** What the store has under a key, and the name of the versions it was read under. */
export interface SharedRead {
  readonly stored: StoredEntry | undefined
  readonly generation: string | undefined
  readonly snapshot: Snapshot
  /** When it began. */
  readonly verifiedAt: number
}

/** Reads the store: entries, with the versions that they are valid under. */
export class SharedReads {
  readonly #store: CacheStore
  readonly #cells: TagCells
  readonly #reads: ReadBatch

  constructor(store: CacheStore, cells: TagCells) {
    this.#store = store
    this.#cells = cells
    this.#reads = new ReadBatch(store)
  }

  /** Reads an entry and the versions of its tags; `generation` is undefined when the store cannot be reached. */
  async read(key: string, plan: KeepPlan, ages: boolean): Promise<SharedRead> {
    const verifiedAt = performance.now()
    const snapshot = this.#cells.snapshot(plan.tags)
    const mirrored = this.#mirrored(snapshot, verifiedAt)
    try {
      if (mirrored !== undefined) {
        const { entry } = await this.#reads.read(key, noTags, ages)
        const generation = generationOf(mirrored, plan.form)
        // An entry of another generation may be one of a bump that is still on its way here.
        if (entry === undefined || generationOfEntry(entry.bytes) === generation) {
          return { stored: entry, generation, snapshot, verifiedAt }
        }
      }
      const { entry, versions } = await this.#reads.read(key, plan.tags, ages)
      const complete = await this.#complete(plan.tags, versions)
      if (complete === undefined) return { stored: entry, generation: undefined, snapshot, verifiedAt }
      this.#cells.learn(snapshot, complete)
      return { stored: entry, generation: generationOf(complete, plan.form), snapshot, verifiedAt }
    } catch (error) {
      if (!isPlimsollError(error, 'PLIMSOLL_CACHE_UNREACHABLE')) throw error
      return { stored: undefined, generation: undefined, snapshot, verifiedAt }
    }
  }

  /** Reads the versions alone. @throws PLIMSOLL_CACHE_UNREACHABLE */
  async versions({ tags, form }: KeepPlan): Promise<Omit<SharedRead, 'stored'>> {
    const verifiedAt = performance.now()
    const snapshot = this.#cells.snapshot(tags)
    const { versions } = await this.#store.read([], tags)
    const complete = await this.#complete(tags, versions)
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
  async #complete(
    tags: readonly string[],
    versions: readonly (string | undefined | null)[],
  ): Promise<readonly string[] | undefined> {
    let complete: readonly (string | undefined | null)[] = versions
    if (versions.includes(undefined)) {
      const missing = tags.filter((_, i) => versions[i] === undefined)
      const created = await this.#store.createVersions(missing)
      const made = new Map(missing.map((tag, i) => [tag, created[i]]))
      complete = tags.map((tag, i) => versions[i] ?? (versions[i] === null ? null : made.get(tag)))
    }
    return complete.every((version) => typeof version === 'string') ? complete : undefined
  }
}

const noTags: readonly string[] = []
