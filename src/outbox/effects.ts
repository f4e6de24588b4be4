import type { CommitItems, Transaction, TransactionOutcome } from '../postgres/index.ts'
import type { BumpChannel } from './bump-channel.ts'
import type { Carriers } from './carriers.ts'
import { condenseTags, mostTags } from './condensed-tags.ts'
import type { Copies } from './copies.ts'
import { bumpKind } from './contract.ts'
import type { OutboxRows } from './outbox-rows.ts'

/** What carries effects, where they are recorded, and where bumps are announced; without either when they are not. */
export interface OutboxParts {
  readonly carriers: Carriers
  /** Of what is noted. */
  readonly rows: OutboxRows | undefined
  /** Of what is recorded at once. */
  readonly table?: OutboxRows | undefined
  readonly channel: BumpChannel | undefined
  readonly copies: Copies | undefined
  /** Told of a kind that could not be carried here. */
  readonly refused: (kind: string) => void
}

/** What one outermost transaction is to bring about when it commits. */
export class TransactionEffects {
  readonly #parts: OutboxParts
  readonly #noted = new Map<string, Set<string>>()
  // Of tracked writes: these are tags of tables, which can be condensed; what else is noted is nobody's business.
  #written = new Set<string>()
  readonly #recorded = new Map<string, string[]>()
  /** What was recorded before the end; of what was undone since, the rows are missing. */
  readonly #inserted: { readonly id: string; readonly kind: string; readonly items: readonly string[] }[] = []
  #announced = false
  readonly #writing = new Set<Promise<unknown>>()
  /** How the transaction has ended; undefined until then. */
  outcome: TransactionOutcome | undefined

  constructor(root: Transaction, parts: OutboxParts) {
    this.#parts = parts
    root.beforeCommit(() => this.#leave())
    root.afterEnd((outcome) => this.#end(outcome))
  }

  note(kind: string, items: readonly string[]): void {
    const noted = this.#noted.get(kind) ?? new Set()
    this.#noted.set(kind, noted)
    for (const item of items) noted.add(item)
  }

  noteWritten(tags: readonly string[]): void {
    for (const tag of tags) this.#written.add(tag)
    if (this.#written.size > mostTags) this.#written = condenseTags(this.#written)
  }

  /** Records effects in the transaction as it is now, such as a savepoint, with which they are undone. */
  async record(transaction: Transaction, kind: string, items: readonly string[]): Promise<void> {
    const id = await this.#parts.table!.insert(transaction, kind, items)
    this.#inserted.push({ id, kind, items })
  }

  /** Has the commit wait for a write whose tags are not known yet: its caller may not wait for it. */
  writing<T>(write: Promise<T>): Promise<T> {
    this.#writing.add(write)
    const forget = (): void => void this.#writing.delete(write)
    write.then(forget, forget)
    return write
  }

  async #leave(): Promise<CommitItems> {
    while (this.#writing.size > 0) await Promise.allSettled(this.#writing)
    const { rows, channel, copies } = this.#parts
    const tags = this.#bumped()
    const copied = tags === undefined ? [] : (copies?.insertions(tags) ?? [])
    if (rows === undefined) {
      if (channel === undefined || tags === undefined) return copied
      const notices = channel.notices(tags, () => {
        this.#announced = true
      })
      return [...copied, ...notices]
    }
    const recorded = this.#all().map(([kind, items]) => {
      const ids: string[] = []
      this.#recorded.set(kind, ids)
      return rows.insertion(kind, items, (id) => void ids.push(id))
    })
    return [...recorded, ...copied]
  }

  async #end(outcome: TransactionOutcome): Promise<void> {
    this.outcome = outcome
    // What may have happened is treated as what has happened: carried once too often is harmless.
    if (outcome === 'rollback') return
    if (this.#bumped() !== undefined) this.#parts.copies?.wake()
    await Promise.all([
      ...this.#all().map(([kind, items]) => {
        const announced = kind === bumpKind && this.#announced
        // A commit whose answer was lost may still be under way: its rows stay, and are carried again once they are there to be seen.
        const ids = outcome === 'commit' ? this.#recorded.get(kind) : undefined
        return carryNow(this.#parts, { kind, items, announced, ids })
      }),
      this.#carryInserted(),
    ])
  }

  async #carryInserted(): Promise<void> {
    if (this.#inserted.length === 0) return
    let present: ReadonlySet<string>
    try {
      present = await this.#parts.table!.present(this.#inserted.map(({ id }) => id))
    } catch {
      // The database is away; a relay finds what is there when it is back.
      return
    }
    const left = this.#inserted.filter(({ id }) => present.has(id))
    const kinds = Map.groupBy(left, ({ kind }) => kind)
    const parts = { ...this.#parts, rows: this.#parts.table }
    const carried = [...kinds].map(([kind, rows]) =>
      carryNow(parts, {
        kind,
        items: rows.flatMap(({ items }) => items),
        ids: rows.map(({ id }) => id),
      }),
    )
    await Promise.all(carried)
  }

  /** The tags that are bumped; undefined when there are none. */
  #bumped(): readonly string[] | undefined {
    return this.#all().find(([kind]) => kind === bumpKind)?.[1]
  }

  #all(): [kind: string, items: readonly string[]][] {
    const all = new Map<string, ReadonlySet<string>>(this.#noted)
    if (this.#written.size > 0) all.set(bumpKind, new Set([...this.#written, ...(this.#noted.get(bumpKind) ?? [])]))
    return [...all].filter(([, items]) => items.size > 0).map(([kind, items]) => [kind, [...items]])
  }
}

/** Effects of something that is committed. */
interface CommittedEffects {
  readonly kind: string
  readonly items: readonly string[]
  /** The rows they were recorded in. Default: none. */
  readonly ids?: readonly string[] | undefined
  /** True when the commit has told the other processes. Default false. */
  readonly announced?: boolean
}

/**
 * Carries effects of something that is committed; what fails is left to the relays, under the ids that it was recorded with, or
 * recorded for them now. Never rejects.
 */
export async function carryNow(
  { carriers, rows, refused }: OutboxParts,
  { kind, items, ids = [], announced = false }: CommittedEffects,
): Promise<void> {
  if (items.length === 0) return
  const carried = await carriers.carry(kind, items, { late: false, announced, recorded: ids.length > 0 })
  if (carried.state === 'done') return rows?.carried(ids)
  const error =
    carried.state === 'failed' ? carried.error : new Error('The process of the writer carries none of this kind.')
  if (rows === undefined) {
    if (carried.state === 'failed') warn(kind, error)
    return
  }
  refused(kind)
  if (ids.length > 0) return rows.failed(ids, error)
  try {
    await rows.insertFailed(kind, items, error)
  } catch {
    warn(kind, error)
  }
}

/** Says that effects are lost: there is nobody left to carry them. */
export function warn(kind: string, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.emitWarning(`The effects '${kind}' of a committed write were not carried out. ${text}`, 'PlimsollWarning')
}
