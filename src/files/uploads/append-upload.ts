import { createHash } from 'node:crypto'
import { PlimsollError } from '../../core/errors.ts'
import { randomToken } from '../../core/random-token.ts'
import type { ByteSource } from '../byte-source.ts'
import type { FileBody, FileStore, StoredPart, UploadRef } from '../contract.ts'
import { ByteFeed, hashed } from './byte-feed.ts'
import { ledger, type AppendedPart } from './ledger.ts'
import type { UploadParts, UploadSpec } from './types.ts'
import { endedUpload } from './upload-errors.ts'
import { tailKey, type UploadRow } from './upload-row.ts'

/** How long a process that writes to an upload may be silent before another one writes. */
const leaseMs = 30_000

/** What comes, and where it belongs. */
export interface AppendOptions {
  /** How much is there already, as the client knows. */
  readonly offset: number
  /** How much comes. */
  readonly length: number
  readonly body: ByteSource
  /** What comes has to have this checksum, or it is not appended. */
  readonly checksum?: { readonly algorithm: string; readonly digest: Buffer } | undefined
  readonly signal: AbortSignal
}

/** What is there after an append. */
export interface Appended {
  readonly received: number
  /** True when that is all. */
  readonly whole: boolean
}

interface AppendParts extends UploadParts {
  /** The upload in parts at the store. */
  begin(row: UploadRow): Promise<UploadRef>
}

/**
 * Appends to an upload that comes in order. What comes is cut into parts of the store; each counts as soon as it is there, so that a
 * connection that breaks loses a part at most. Stores that take no small parts are given what has come in between as objects, which
 * become the beginning of the next part. One process writes at a time, under a lease.
 *
 * @throws PLIMSOLL_UPLOAD_OFFSET, _BUSY, _ENDED, _CHECKSUM, _INVALID
 */
export async function appendToUpload(
  parts: AppendParts,
  { row, spec, options }: { readonly row: UploadRow; readonly spec: UploadSpec; readonly options: AppendOptions },
): Promise<Appended> {
  const { postgres } = parts
  const writer = randomToken()
  const taken = await ledger.takeWriter(postgres, row.id, writer, leaseMs)
  if (taken === undefined) {
    const now = await ledger.find(postgres, row.id, row.route)
    if (now?.state !== 'open') throw endedUpload(now?.state ?? 'gone')
    throw new PlimsollError('PLIMSOLL_UPLOAD_BUSY', 'Somebody else is sending bytes of this upload.')
  }
  const heartbeat = setInterval(() => {
    ledger.keepWriter(postgres, row.id, writer, leaseMs).catch(() => {})
  }, leaseMs / 3).unref()
  try {
    checkPlace(taken, options)
    const run = new AppendRun(parts, { row: taken, writer, keepMs: spec.keepMs, ref: await parts.begin(taken) })
    return await run.take(options)
  } finally {
    clearInterval(heartbeat)
    options.body.end()
    await ledger.freeWriter(postgres, row.id, writer).catch(() => {})
  }
}

function checkPlace({ received, size }: UploadRow, { offset, length }: AppendOptions): void {
  if (offset !== received) {
    throw new PlimsollError(
      'PLIMSOLL_UPLOAD_OFFSET',
      `There are ${received} bytes, and the request goes on from ${offset}.`,
    )
  }
  if (offset + length > size) {
    throw new PlimsollError('PLIMSOLL_UPLOAD_INVALID', `The upload cannot be: it has ${size} bytes, and more are sent.`)
  }
}

/** What comes next, and whether it counts as soon as it is there. */
interface Coming {
  readonly fresh: number
  readonly signal: AbortSignal
  readonly counts: boolean
}

/** One request that appends. */
class AppendRun {
  readonly #store: FileStore
  readonly #parts: AppendParts
  readonly #row: UploadRow
  readonly #at: { readonly writer: string; readonly keepMs: number; readonly ref: UploadRef }
  /** The parts that there are, and what waits to become one. */
  #count = 0
  #tails: AppendedPart[] = []
  #lastTail = 0
  /** What came and does not count yet: with a checksum all of it, until that is right. */
  #fresh: AppendedPart[] = []
  #received: number
  #counted: number
  /** Settles when the last part counts, or will not. */
  #last: Promise<void> = Promise.resolve()

  constructor(
    parts: AppendParts,
    {
      row,
      ...at
    }: { readonly row: UploadRow; readonly writer: string; readonly keepMs: number; readonly ref: UploadRef },
  ) {
    this.#store = parts.store
    this.#parts = parts
    this.#row = row
    this.#at = at
    this.#received = row.received
    this.#counted = row.received
  }

  async take({ length, body, checksum, signal }: AppendOptions): Promise<Appended> {
    await this.#look()
    const hash = checksum && createHash(checksum.algorithm)
    const feed = new ByteFeed(hash === undefined ? body : hashed(body, hash))
    try {
      await this.#takeAll(feed, { length, signal, counts: hash === undefined })
    } catch (error) {
      // Nothing is being stored any more when somebody else may write.
      body.end()
      await this.#last.catch(() => {})
      throw error
    }
    if (hash !== undefined && !hash.digest().equals(checksum!.digest)) {
      throw new PlimsollError(
        'PLIMSOLL_UPLOAD_CHECKSUM',
        'The bytes have not the checksum that came with them; send them again.',
      )
    }
    await this.#note(this.#received)
    return { received: this.#received, whole: this.#received === this.#row.size }
  }

  async #takeAll(
    feed: ByteFeed,
    { length, ...how }: { readonly length: number; readonly signal: AbortSignal; readonly counts: boolean },
  ): Promise<void> {
    const { size, partBytes } = this.#row
    for (let left = length; left > 0;) {
      const waiting = this.#waiting()
      const bytes = Math.min(partBytes, waiting + left)
      const last = this.#received - waiting + bytes === size
      // A part that is the last may be small; so may all where the store does not mind.
      const fresh = bytes - waiting
      if (last || bytes >= this.#leastPart()) await this.#putPart(feed, { bytes, fresh, ...how })
      else await this.#putTail(feed, { fresh, ...how })
      left -= fresh
    }
    await this.#last
  }

  async #look(): Promise<void> {
    const there = await ledger.parts(this.#parts.postgres, this.#row.id)
    this.#count = there.filter(({ kind }) => kind === 'part').length
    this.#tails = there.filter(({ kind }) => kind === 'tail')
    this.#lastTail = this.#tails.at(-1)?.number ?? 0
  }

  #waiting(): number {
    return this.#tails.reduce((sum, tail) => sum + tail.size, 0)
  }

  /** So large that the store takes it, and that the file does not come to more parts than it takes. */
  #leastPart(): number {
    const { minPartBytes, maxParts } = this.#store.features
    return Math.max(minPartBytes, Math.ceil(this.#row.size / maxParts))
  }

  /** Stores a part; where the store holds none in memory, until it has all of it: the next one comes while that one is made safe, but not two. */
  async #putPart(feed: ByteFeed, { bytes, fresh, signal, counts }: Coming & { readonly bytes: number }): Promise<void> {
    const number = ++this.#count
    const offset = this.#received - (bytes - fresh)
    const rest = feed.take(fresh)
    const body: FileBody = this.#tails.length === 0 ? rest : this.#joined(this.#tails, rest)
    this.#tails = []
    const stored = this.#store.uploads.putPart(this.#at.ref, number, body, { size: bytes, offset, signal })
    const to = (this.#received += fresh)
    const before = this.#last
    const counted = this.#countPart(stored, { before, number, size: bytes, to: counts ? to : undefined })
    counted.catch(() => {})
    this.#last = counted
    await Promise.all([before, this.#store.features.streamsParts ? Promise.race([stored, rest.read]) : counted])
  }

  /** Has a part count once it is there, after the one before it. When it settles, neither is being stored any more. */
  async #countPart(
    stored: Promise<StoredPart>,
    {
      before,
      number,
      size,
      to,
    }: {
      readonly before: Promise<void>
      readonly number: number
      readonly size: number
      readonly to: number | undefined
    },
  ): Promise<void> {
    const [part, last] = await Promise.allSettled([stored, before])
    if (last.status === 'rejected') throw last.reason
    if (part.status === 'rejected') throw part.reason
    const { etag } = part.value
    this.#fresh = [...this.#fresh.filter(({ kind }) => kind === 'part'), { number, kind: 'part', size, etag }]
    if (to !== undefined) await this.#note(to)
  }

  async #putTail(feed: ByteFeed, { fresh, signal, counts }: Coming): Promise<void> {
    await this.#last
    const number = ++this.#lastTail
    const { etag } = await this.#store.put(tailKey(this.#row, number), feed.take(fresh), { size: fresh, signal })
    const tail = { number, kind: 'tail', size: fresh, etag } as const
    this.#tails.push(tail)
    this.#fresh.push(tail)
    this.#received += fresh
    if (counts) await this.#note(this.#received)
  }

  async *#joined(
    tails: readonly AppendedPart[],
    rest: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    for (const { number, etag } of tails) {
      const { stream } = await this.#store.get(tailKey(this.#row, number), { ifMatch: etag })
      yield* stream as AsyncIterable<Uint8Array>
    }
    yield* rest
  }

  /** Has what came count. @throws PLIMSOLL_UPLOAD_BUSY when somebody else writes by now */
  async #note(to: number): Promise<void> {
    if (to === this.#counted) return
    const { writer, keepMs } = this.#at
    const noted = await ledger.append(this.#parts.postgres, this.#row.id, {
      writer,
      from: this.#counted,
      to,
      keepMs,
      keepTails: this.#tails.map(({ number }) => number),
      parts: this.#fresh,
    })
    if (!noted) throw new PlimsollError('PLIMSOLL_UPLOAD_BUSY', 'Somebody else is sending bytes of this upload.')
    this.#counted = to
    this.#fresh = []
  }
}
