import { events } from '../core/events.ts'
import { valueOf, type OpenEntry } from './entry.ts'
import type { KeepPlan } from './keep-plan.ts'
import type { Counts, Statistics } from './statistics.ts'
import type { Snapshot, TagCells } from './tag-cells.ts'
import { isShareable, keepsBytes } from './value-codec.ts'
import { LateLru } from './late-lru.ts'

/** A value that this process holds. Times are of `performance.now()`, which no change of the clock moves. */
export interface LocalEntry {
  readonly tags: readonly string[]
  readonly form: string
  readonly snapshot: Snapshot
  /** The token it was filled under. */
  readonly token: string
  /** When its versions were read. */
  readonly verifiedAt: number
  readonly freshUntil: number
  readonly usableUntil: number
  readonly ttlMs: number
  readonly counts: readonly Counts[]
  /** The value itself, or undefined when every reader gets a copy of `entry`. */
  readonly shared: unknown
  readonly entry: OpenEntry | undefined
  /** What it takes up, about. */
  readonly bytes: number
}

/** The bookkeeping of an entry and of each of its tags, in bytes: an estimate, so that many small values are bounded too. */
const overhead = 300
const perTag = 100

/** The entries of this process, bounded by their number and their bytes. */
export class LocalTier {
  readonly #entries: LateLru<LocalEntry>
  readonly #cells: TagCells

  constructor(
    cells: TagCells,
    {
      maxEntries,
      maxBytes,
      statistics,
    }: { readonly maxEntries: number; readonly maxBytes: number; readonly statistics: Statistics },
  ) {
    this.#cells = cells
    this.#entries = new LateLru<LocalEntry>({
      max: maxEntries,
      maxSize: maxBytes,
      sizeCalculation: (entry, key) => entry.bytes + key.length * 2,
      dispose: (entry, key, reason) => {
        if (reason !== 'evict') return
        statistics.evictions++
        if (events.hasSubscribers) events.publish({ type: 'cache.evict', key, tags: entry.tags, bytes: entry.bytes })
      },
    })
  }

  get size(): { entries: number; bytes: number } {
    return { entries: this.#entries.size, bytes: this.#entries.calculatedSize }
  }

  /** The entry of `key`, if no bump of its tags was heard of since it was read. It may have got old. */
  get(key: string): LocalEntry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || this.#cells.isCurrent(entry.snapshot)) return entry
    this.#entries.delete(key)
    return undefined
  }

  put(key: string, entry: LocalEntry): void {
    if (this.#cells.isCurrent(entry.snapshot)) this.#entries.set(key, entry)
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }
}

/** The bytes of an entry without what lies around them: a small one can be part of a large chunk from a socket. */
function alone(entry: OpenEntry): OpenEntry {
  const { payload } = entry
  if (payload.buffer.byteLength <= payload.length * 2) return entry
  const own = Buffer.allocUnsafeSlow(payload.length)
  payload.copy(own)
  return { ...entry, payload: own }
}

/** What is known of a read beside what it came to. */
export interface ReadFacts {
  readonly plan: KeepPlan
  /** Taken before the versions were read. */
  readonly snapshot: Snapshot
  readonly counts: readonly Counts[]
  /** When the versions were read. */
  readonly verifiedAt: number
}

/** Makes an entry of the local tier; `remainingMs` is what is left of its ttl and stale time together, by default all of it. */
export function localEntry(
  opened: OpenEntry,
  { plan, snapshot, counts, verifiedAt }: ReadFacts,
  remainingMs: number = opened.ttlMs + opened.staleMs,
): LocalEntry {
  const entry = keepsBytes(opened.kind) ? alone(opened) : opened
  const shareable = isShareable(entry.kind)
  const usableUntil = performance.now() + remainingMs
  return {
    tags: plan.tags,
    form: plan.form,
    snapshot,
    counts,
    verifiedAt,
    token: entry.token,
    ttlMs: entry.ttlMs,
    usableUntil,
    freshUntil: usableUntil - entry.staleMs,
    shared: shareable ? valueOf(entry) : undefined,
    entry: shareable ? undefined : entry,
    bytes: overhead + perTag * plan.tags.length + entry.payload.length,
  }
}

/** The value of an entry, frozen or a copy. */
export function localValue(entry: LocalEntry): unknown {
  return entry.entry === undefined ? entry.shared : valueOf(entry.entry)
}
