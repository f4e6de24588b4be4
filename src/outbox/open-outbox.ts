import { isPlimsollError, PlimsollError } from '../core/errors.ts'
import type { Transaction, WriteWatcher } from '../postgres/index.ts'
import { Carriers } from './carriers.ts'
import { Copies } from './copies.ts'
import { bumpKind, type Outbox, type OutboxOptions, type WrittenTags } from './contract.ts'
import { drainRows } from './drain.ts'
import { carryNow, TransactionEffects, warn } from './effects.ts'
import { OutboxRows } from './outbox-rows.ts'
import { ensureOutboxTable } from './outbox-table.ts'
import { OwnMark, triggersInstalled } from './own-mark.ts'
import { Relay } from './relay.ts'

/**
 * Opens the outbox on a database. When `durable`, its table is made when it is missing, and a relay begins to carry what
 * other processes, or this one before a crash, have left; without, it carries what triggers record, where there are any, `copies`, and what `record` has recorded.
 *
 * @throws PLIMSOLL_OUTBOX_UNAVAILABLE when the role may not make the table or use it
 * @example
 * const outbox = await openOutbox({ postgres, durable: true })
 * outbox.carry('cache.bump', (tags) => cache.invalidate(...tags))
 * postgres.watchWrites(outbox.watcher((text) => tagsOfSql(graph, text)))
 */
export async function openOutbox({
  postgres,
  durable,
  records = durable,
  channel,
  copies: kinds = [],
  pollMs = 5000,
}: OutboxOptions): Promise<Outbox> {
  const carriers = new Carriers()
  // What triggers record has to be carried also where our own effects are not recorded.
  const triggers = await triggersInstalled(postgres)
  const tabled = durable || records || triggers || kinds.length > 0
  if (tabled) await ensureOutboxTable(postgres)
  const mark = triggers ? new OwnMark() : undefined
  const rows = tabled ? new OutboxRows(postgres) : undefined
  const wake = (delayMs: number): void => relay?.wakeWithin(delayMs)
  const copies = rows && kinds.length > 0 ? new Copies(kinds, { rows, wake }) : undefined
  const relay: Relay | undefined = rows && new Relay(postgres, { rows, carriers, pollMs, carried: copies?.carried })
  const recorded = durable ? rows : undefined
  const parts = { carriers, rows: recorded, table: rows, channel, copies, refused: (kind: string) => relay?.rest(kind) }
  /** True when a write has to be in a transaction for its effects to survive this process. */
  const needsTransaction = durable || channel !== undefined || copies !== undefined
  const byTransaction = new WeakMap<Transaction, TransactionEffects>()

  const effectsOf = ({ root }: Transaction): TransactionEffects => {
    const known = byTransaction.get(root)
    if (known !== undefined) return known
    const effects = new TransactionEffects(root, parts)
    byTransaction.set(root, effects)
    return effects
  }

  const bump = async (tags: readonly string[]): Promise<void> => {
    const copied =
      tags.length === 0 ? undefined : copies?.add(tags).catch((error: unknown) => warn(kinds.join(), error))
    await carryNow(parts, { kind: bumpKind, items: tags })
    await copied
  }

  const writeWithin = async <T>(
    transaction: Transaction,
    work: (executor: Transaction) => Promise<WrittenTags<T>>,
    worst: readonly string[],
  ): Promise<T> => {
    const effects = effectsOf(transaction)
    const noted = async (): Promise<T> => {
      const { result, tags } = await (mark?.around(transaction, worst, work) ?? work(transaction))
      effects.noteWritten(tags)
      // Nobody has waited for it, and the transaction has committed what it wrote: all that is left is to be quick.
      if (effects.outcome !== undefined && effects.outcome !== 'rollback') await bump(tags)
      return result
    }
    return effects.writing(noted())
  }

  const writeAlone = async <T>(
    work: () => Promise<WrittenTags<T>>,
    { worst, always = false }: { readonly worst: readonly string[]; readonly always?: boolean },
  ): Promise<T> => {
    let written: WrittenTags<T>
    try {
      written = await work()
    } catch (error) {
      if (always || isUnknown(error)) await bump(worst)
      throw error
    }
    await bump(written.tags)
    return written.result
  }

  const watcher = (tagsOf: (text: string) => readonly string[]): WriteWatcher => ({
    tagsOf,
    note: (transaction, tags) => effectsOf(transaction).noteWritten(tags),
    async write(work, { tags, alone }) {
      // In a transaction the statement is shown again, and noted there.
      if (needsTransaction && !alone) return postgres.transaction(work)
      const written = async (): Promise<WrittenTags<Awaited<ReturnType<typeof work>>>> => ({
        result: await work(),
        tags,
      })
      // What runs alone because it may commit by itself may also have done so before it failed.
      return writeAlone(written, { worst: tags, always: alone })
    },
  })

  relay?.start()
  const close = async (): Promise<void> => {
    await relay?.close()
    await rows?.idle()
  }
  return Object.freeze<Outbox>({
    durable,
    carry(kind, carrier) {
      const takeBack = carriers.add(kind, carrier)
      relay?.wake(kind)
      return takeBack
    },
    note(transaction, kind, items) {
      const effects = effectsOf(transaction)
      // Has the transaction refuse it.
      if (effects.outcome !== undefined) transaction.root.afterEnd(() => {})
      effects.note(kind, items)
    },
    async record(transaction, kind, items) {
      if (!durable && !records) {
        throw new PlimsollError(
          'PLIMSOLL_OPTION_INVALID',
          'This outbox records nothing with a transaction; open it with durable: true or records: true.',
          { details: { option: 'durable' } },
        )
      }
      if (items.length > 0) await effectsOf(transaction).record(transaction, kind, items)
    },
    pending: async (kind, texts) => (rows === undefined ? [] : rows.search(kind, texts)),
    async write(work, worst, within) {
      const transaction = within ?? postgres.current()
      if (transaction !== undefined) return writeWithin(transaction, work, worst)
      if (needsTransaction) return postgres.transaction((own) => writeWithin(own, work, worst))
      return writeAlone(() => work(postgres), { worst })
    },
    watcher,
    drain: async (kind, carrier) =>
      rows === undefined ? 0 : drainRows(rows, { carriers, kind, carrier, carried: copies?.carried }),
    close,
    [Symbol.asyncDispose]: close,
  })
}

/** True when a write may have happened although it failed: its answer was lost. */
function isUnknown(error: unknown): boolean {
  return isPlimsollError(error) && error.details.outcome === 'unknown'
}
