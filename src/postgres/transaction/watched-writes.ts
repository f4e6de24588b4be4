import type { Statement, Transaction, WriteWatcher } from '../contract.ts'

// A procedure or a DO block may commit, which PostgreSQL refuses inside a transaction that was begun around it; the others it
// refuses there altogether.
const noTransaction =
  /^\s*(?:call|do|vacuum|(?:create|drop)\s+(?:database|tablespace|subscription)|(?:create|drop|alter|reindex)\b[^']*\bconcurrently)\b/i

interface WatchedWrite {
  readonly text: string
  readonly tags: readonly string[]
  /** True when its session is chosen already. Default: when its text is none for a transaction. */
  readonly alone?: boolean
}

/** The watcher of one door, and what it is shown. */
export class WatchedWrites {
  watcher: WriteWatcher | undefined

  /** The tags of a statement that nobody else reports; undefined when there is nothing to tell. */
  tagsOf(statement: Statement): readonly string[] | undefined {
    if (this.watcher === undefined || statement.readOnly || statement.tracked) return undefined
    return this.tagsOfText(statement.text)
  }

  /** The tags of SQL text of unknown origin; undefined when there is nothing to tell. */
  tagsOfText(text: string): readonly string[] | undefined {
    const tags = this.watcher?.tagsOf(text)
    return tags === undefined || tags.length === 0 ? undefined : tags
  }

  note(transaction: Transaction, tags: readonly string[]): void {
    this.watcher?.note(transaction, tags)
  }

  /** Runs a write outside transactions as the watcher wants it. */
  write<T>(work: () => Promise<T>, write: WatchedWrite): Promise<T> {
    if (this.watcher === undefined) return work()
    return this.watcher.write(work, { tags: write.tags, alone: write.alone ?? noTransaction.test(write.text) })
  }
}
