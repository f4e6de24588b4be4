import { PlimsollError, showValue } from '../../../core/errors.ts'
import { toPrefix, type ItemKey, type ItemKind } from './item-key.ts'
import { ttlFlags } from './item-ttl.ts'
import { MetaBatch } from './meta-batch.ts'
import type { Exchange } from './meta-connection.ts'
import type { MetaReply } from './meta-parser.ts'
import {
  chunkCount,
  chunkOf,
  createSplitHead,
  encodeSplitHead,
  joinChunks,
  mostItemBytes,
  mostSplitBytes,
  readSplitHead,
  type SplitHead,
} from './split-value.ts'

/** An entry on its way into a server. */
export interface PlannedEntry {
  readonly key: ItemKey
  readonly name: string
  readonly bytes: Buffer
  readonly ttlMs: number
  /** Where it is split. */
  readonly head: SplitHead | undefined
}

/** How entries become items: one, or where they are split, a head that names the others. */
export class EntryItems {
  readonly maxEntryBytes: number
  readonly #toKey: (kind: ItemKind, name: string) => ItemKey
  readonly #chunkPrefix: string
  readonly #split: boolean

  constructor(options: {
    readonly namespace: string
    readonly split: boolean
    readonly toKey: (kind: ItemKind, name: string) => ItemKey
  }) {
    this.#toKey = options.toKey
    this.#chunkPrefix = `${toPrefix(options.namespace)}c:`
    this.#split = options.split
    this.maxEntryBytes = options.split ? mostSplitBytes : mostItemBytes
  }

  /** Says how an entry is to be stored. @throws PLIMSOLL_CACHE_VALUE_TOO_LARGE */
  plan(name: string, bytes: Buffer, ttlMs: number): PlannedEntry {
    if (bytes.length > this.maxEntryBytes) throw tooLarge(name, bytes.length, this.#split)
    const head = bytes.length > mostItemBytes ? createSplitHead(bytes.length) : undefined
    return { key: this.#toKey('e', name), name, bytes, ttlMs, head }
  }

  /** Adds the commands that store an entry; those of its chunks come first, the last one is the entry's own. */
  addStore(batch: MetaBatch, { key, bytes, ttlMs, head }: PlannedEntry, flags = ''): void {
    if (head === undefined) return void batch.set(key, bytes, ttlFlags(ttlMs) + flags)
    // Chunks last as long as their head and a second more, so that a head is not found without them.
    for (let index = 0; index < chunkCount(head); index++) {
      batch.set(this.#chunkKey(head, index), chunkOf(bytes, index), ttlFlags(ttlMs + 1000))
    }
    batch.set(key, encodeSplitHead(head, bytes), ttlFlags(ttlMs) + flags)
  }

  /** Adds the commands that remove the chunks of an entry whose head was not stored. */
  addForget(batch: MetaBatch, { head }: PlannedEntry): void {
    if (head === undefined) return
    for (let index = 0; index < chunkCount(head); index++) batch.delete(this.#chunkKey(head, index))
  }

  /** The entries of answers to gets with the flag v; those that are split take another round trip. */
  async read(replies: readonly MetaReply[], exchange: Exchange): Promise<(Buffer | undefined)[]> {
    const batch = new MetaBatch()
    const heads = replies.map(({ value }) => {
      const head = value === undefined ? undefined : readSplitHead(value)
      if (head === undefined) return undefined
      for (let index = 0; index < chunkCount(head); index++) batch.get(this.#chunkKey(head, index), ' v')
      return head
    })
    const chunks = (await exchange(batch)).map(({ value }) => value)
    let at = 0
    return replies.map(({ value }, index) => {
      const head = heads[index]
      if (head === undefined) return toEntry(value)
      const own = chunks.slice(at, at + chunkCount(head))
      at += own.length
      return joinChunks(head, own)
    })
  }

  #chunkKey({ name }: SplitHead, index: number): ItemKey {
    return { text: `${this.#chunkPrefix}${name}:${index}`, flag: '' }
  }
}

/** True when `bytes` are the head of an entry that has to be put together from others. */
export function isSplit({ value }: MetaReply): boolean {
  return value !== undefined && readSplitHead(value) !== undefined
}

/** An entry of one item. Without bytes it only keeps a place, for the comparison when it is filled. */
export function toEntry(value: Buffer | undefined): Buffer | undefined {
  return value === undefined || value.length === 0 ? undefined : value
}

/** Looks whether the server found an entry too large: its limit can be set. @throws PLIMSOLL_CACHE_VALUE_TOO_LARGE */
export function checkSize({ code, flags }: MetaReply, { name, bytes }: PlannedEntry): void {
  if (code !== 'SERVER_ERROR' || !flags.includes('too large')) return
  throw new PlimsollError(
    'PLIMSOLL_CACHE_VALUE_TOO_LARGE',
    `The value of ${showValue(name)} takes ${bytes.length} bytes, for which the server's limit (-I) is too small.`,
    { details: { key: name, bytes: bytes.length } },
  )
}

function tooLarge(name: string, bytes: number, split: boolean): PlimsollError {
  const limit = split ? mostSplitBytes : mostItemBytes
  const advice = split
    ? 'Cache less of it.'
    : `Cache less of it, or add split=true to the URL, which keeps up to ${mostSplitBytes} bytes as several items.`
  return new PlimsollError(
    'PLIMSOLL_CACHE_VALUE_TOO_LARGE',
    `The value of ${showValue(name)} takes ${bytes} bytes; Memcached takes at most ${limit}. ${advice}`,
    { details: { key: name, bytes, limit } },
  )
}
