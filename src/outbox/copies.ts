import type { BatchItem } from '../postgres/index.ts'
import { bumpKind } from './contract.ts'
import { copyDelayMs, type OutboxRows } from './outbox-rows.ts'

/** Gives the tags of writes to further kinds of effects, which relays carry: see `OutboxOptions.copies`. */
export class Copies {
  readonly #kinds: readonly string[]
  readonly #rows: OutboxRows
  readonly #wakeRelay: (delayMs: number) => void

  constructor(
    kinds: readonly string[],
    parts: { readonly rows: OutboxRows; readonly wake: (delayMs: number) => void },
  ) {
    this.#kinds = kinds
    this.#rows = parts.rows
    this.#wakeRelay = parts.wake
  }

  /** What leaves with the COMMIT of a write of these tags. */
  insertions(tags: readonly string[]): BatchItem[] {
    return this.#kinds.map((kind) => this.#rows.copyInsertion(kind, tags))
  }

  /** Has this process carry what has just been committed when it is time, without anybody waiting for it. */
  wake(): void {
    this.#wakeRelay(copyDelayMs)
  }

  /** Records the tags of something that is committed already. */
  async add(tags: readonly string[]): Promise<void> {
    await Promise.all(this.#kinds.map((kind) => this.#rows.insertCopy(kind, tags)))
    this.wake()
  }

  /**
   * Told of bumps that a relay has carried. They may be those of a trigger, which records bumps alone; of other writes they are known
   * already, and known twice is harmless.
   */
  readonly carried = async (kind: string, tags: readonly string[]): Promise<void> => {
    if (kind === bumpKind) await this.add(tags)
  }
}
