import type { BatchItem, Transaction, TransactionOutcome } from '../postgres/index.ts'
import type { Carriers } from './carriers.ts'
import { condenseTags, mostTags } from './condensed-tags.ts'
import { bumpKind } from './contract.ts'
import type { OutboxRows } from './outbox-rows.ts'

/** What carries effects, and where they are recorded; no rows when they are not. */
export interface OutboxParts {
  readonly carriers: Carriers
  readonly rows: OutboxRows | undefined
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

  /** Has the commit wait for a write whose tags are not known yet: its caller may not wait for it. */
  writing<T>(write: Promise<T>): Promise<T> {
    this.#writing.add(write)
    const forget = (): void => void this.#writing.delete(write)
    write.then(forget, forget)
    return write
  }

  async #leave(): Promise<readonly BatchItem[]> {
    while (this.#writing.size > 0) await Promise.allSettled(this.#writing)
    const { rows } = this.#parts
    if (rows === undefined) return []
    return this.#all().map(([kind, items]) => {
      const ids: string[] = []
      this.#recorded.set(kind, ids)
      return rows.insertion(kind, items, (id) => void ids.push(id))
    })
  }

  async #end(outcome: TransactionOutcome): Promise<void> {
    this.outcome = outcome
    // What may have happened is treated as what has happened: carried once too often is harmless.
    if (outcome === 'rollback') return
    await Promise.all(
      this.#all().map(([kind, items]) => carryNow(this.#parts, { kind, items, ids: this.#recorded.get(kind) ?? [] })),
    )
  }

  #all(): [kind: string, items: readonly string[]][] {
    const all = new Map<string, ReadonlySet<string>>(this.#noted)
    if (this.#written.size > 0) all.set(bumpKind, new Set([...this.#written, ...(this.#noted.get(bumpKind) ?? [])]))
    return [...all].filter(([, items]) => items.size > 0).map(([kind, items]) => [kind, [...items]])
  }
}

/**
 * Carries effects of something that is committed; what fails is left to the relays, under the ids that it was recorded with, or
 * recorded for them now. Never rejects.
 */
export async function carryNow(
  { carriers, rows, refused }: OutboxParts,
  { kind, items, ids }: { readonly kind: string; readonly items: readonly string[]; readonly ids: readonly string[] },
): Promise<void> {
  if (items.length === 0) return
  const carried = await carriers.carry(kind, items, false)
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

function warn(kind: string, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  process.emitWarning(`The effects '${kind}' of a committed write were not carried out. ${text}`, 'PlimsollWarning')
}
