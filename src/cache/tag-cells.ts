import { LateLru } from './late-lru.ts'

/** What this process knows of one tag. */
export interface TagCell {
  /** Counts the bumps that were heard of. What was read while it had another value is out of date. */
  epoch: number
  /** The version, as far as it is known and no bump of it has been heard of since. */
  version: string | undefined
}

/** The tags that a read depends on, with their epochs when it began. */
export interface Snapshot {
  readonly cells: readonly TagCell[]
  readonly epochs: readonly number[]
  readonly era: number
}

/**
 * The tags this process has met. An entry of the local tier holds the cells of its tags with their epochs from before it was
 * read: a bump changes one number, however many entries depend on it.
 */
export class TagCells {
  readonly #cells: LateLru<TagCell>
  /** Counts the times that bumps may have been missed. */
  #era = 0

  constructor(maxTags: number) {
    // A forgotten cell would not hear of the next bump: what depends on it ends with it.
    this.#cells = new LateLru<TagCell>({ max: maxTags, dispose: (cell) => void cell.epoch++ })
  }

  /** Taken before a read begins, so that what is bumped while it is under way is not taken for what it read. */
  snapshot(tags: readonly string[]): Snapshot {
    const epochs: number[] = []
    const cells = tags.map((tag) => {
      const cell = this.#cell(tag)
      // Taken one by one: the next tag may have this one forgotten, and with it whatever depends on both.
      epochs.push(cell.epoch)
      return cell
    })
    return { cells, epochs, era: this.#era }
  }

  /** True when no bump of its tags has been heard of since, and none can have been missed. */
  isCurrent({ cells, epochs, era }: Snapshot): boolean {
    if (era !== this.#era) return false
    for (let i = 0; i < cells.length; i++) if (cells[i]!.epoch !== epochs[i]) return false
    return true
  }

  /** Keeps versions that were read after `snapshot`, unless a bump was heard of meanwhile. */
  learn(snapshot: Snapshot, versions: readonly (string | null | undefined)[]): void {
    if (snapshot.era !== this.#era) return
    snapshot.cells.forEach((cell, i) => {
      if (cell.epoch === snapshot.epochs[i]) cell.version = versions[i] ?? undefined
    })
  }

  bumped(tags: readonly string[]): void {
    for (const tag of tags) {
      const cell = this.#cells.get(tag)
      if (cell === undefined) continue
      cell.epoch++
      cell.version = undefined
    }
  }

  /** Forgets everything: bumps may have been missed. */
  lost(): void {
    this.#era++
    this.#cells.clear()
  }

  #cell(tag: string): TagCell {
    let cell = this.#cells.get(tag)
    if (cell === undefined) {
      cell = { epoch: 0, version: undefined }
      this.#cells.set(tag, cell)
    }
    return cell
  }
}
