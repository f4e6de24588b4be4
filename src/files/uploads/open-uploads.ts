import { doneOnce } from '../../core/done-once.ts'
import { isPlimsollError, PlimsollError, showValue } from '../../core/errors.ts'
import { randomToken } from '../../core/random-token.ts'
import { readChecksums } from '../checksums.ts'
import type { Checksums, SignedRequest, StoredPart, UploadRef } from '../contract.ts'
import { appendToUpload, type Appended, type AppendOptions } from './append-upload.ts'
import { boundSum } from './bound-sum.ts'
import { completeUpload, partCount, partSize } from './complete-upload.ts'
import { checkPieces, finishPiece, joinedId, joinUploads, removePieces, type WantedJoin } from './join-uploads.ts'
import { ledger } from './ledger.ts'
import { removeUpload } from './remove-upload.ts'
import { sweepUploads, type Sweep } from './sweep-uploads.ts'
import type { UploadOutcome, UploadParts, UploadSpec, WantedUpload } from './types.ts'
import { endedUpload, invalidUpload, notChecksum, refusedType, unknownUpload } from './upload-errors.ts'
import { ensureUploadTables } from './upload-table.ts'
import { storeRef, waitingKey, type UploadKind, type UploadRow } from './upload-row.ts'

/** How many parts are signed at a time. */
export const mostSigned = 100
const longestName = 1000
/** How long a signed request holds: a part takes minutes at most, and another one can be had. */
const signedMs = 3_600_000

/** A part that a client wants to send. */
export interface WantedPart extends Checksums {
  readonly number: number
}

/** A request that sends a part. */
export interface SignedPart extends SignedRequest {
  readonly number: number
  readonly size: number
}

/** Uploads of one application: their rows, and what waits at the store. */
export class Uploads {
  readonly #parts: UploadParts
  /** Completions that are under way in this process: who asks meanwhile waits for the same. */
  readonly #completing = new Map<string, Promise<UploadOutcome>>()
  /** Requests that append, in this process. */
  readonly #appending = new Map<string, { readonly controller: AbortController; readonly ended: Promise<void> }>()
  readonly #sweepMs: number
  #timer: NodeJS.Timeout | undefined
  #sweeping: Promise<unknown> = Promise.resolve()
  readonly #closing = new AbortController()

  /** `sweepMs` is how often what was given up is removed; by default every quarter of an hour. */
  constructor(parts: UploadParts, { sweepMs = 900_000 }: { readonly sweepMs?: number | undefined } = {}) {
    this.#parts = parts
    this.#sweepMs = sweepMs
  }

  /** Begins an upload: a row, and nothing at the store yet. @throws PLIMSOLL_UPLOAD_INVALID, _TOO_LARGE, _TYPE_REFUSED */
  async begin(
    spec: UploadSpec,
    wanted: WantedUpload & {
      /** Of an upload that others may begin at the same time: it is begun once. Default: one of its own. */
      readonly id?: string | undefined
      readonly owner: string | undefined
      readonly kind?: UploadKind | undefined
    },
  ): Promise<UploadRow> {
    const { id = randomToken(), name, type, size, owner } = wanted
    checkWanted(wanted)
    const { sha256, crc32c } = readChecksums(wanted, notChecksum)
    const { features } = this.#parts.store
    const most = Math.min(spec.maxBytes, features.maxBytes)
    if (size > most) {
      throw new PlimsollError('PLIMSOLL_UPLOAD_TOO_LARGE', `The file has ${size} bytes; up to ${most} are taken.`, {
        details: { maximum: most },
      })
    }
    const kind = wanted.kind ?? (spec.parts !== undefined && size >= spec.parts.from ? 'parts' : 'single')
    // A piece of a file has no type.
    if (kind !== 'partial' && !spec.accept.has(type)) throw refusedType(type, spec.accept.patterns)
    const wish = spec.parts?.bytes ?? 0
    const partBytes = Math.min(
      features.maxPartBytes,
      Math.max(wish, features.minPartBytes, Math.ceil(size / features.maxParts), 1),
    )
    const row = { id, route: spec.route, owner, name, type, size, sha256, crc32c, kind, partBytes }
    return (await ledger.insert(this.#parts.postgres, row, spec.keepMs)) ?? this.#reread(row)
  }

  /** An upload of a place and an owner. @throws PLIMSOLL_UPLOAD_NOT_FOUND */
  async find(spec: UploadSpec, id: string, owner: string | undefined): Promise<UploadRow> {
    const row = /^[\w-]{16}$/.test(id) ? await ledger.find(this.#parts.postgres, id, spec.route) : undefined
    if (row === undefined || row.state === 'removing' || row.owner !== owner) throw unknownUpload(id)
    return row
  }

  /** The parts that are there. */
  async arrived(row: UploadRow): Promise<readonly StoredPart[]> {
    const ref = storeRef(row)
    if (ref === undefined || row.state !== 'open') return []
    const { uploads } = this.#parts.store
    return uploads.parts(ref).catch(async (error: unknown) => {
      // They are one object by now, of an upload that is being completed, or was not to its end.
      if (!isPlimsollError(error, 'PLIMSOLL_UPLOAD_NOT_FOUND') || !(await this.isThere(row))) throw error
      return Array.from({ length: partCount(row) }, (_, at) => ({
        number: at + 1,
        size: partSize(row, at + 1),
        etag: '',
      }))
    })
  }

  /** Whether the bytes of an upload in one request are there. */
  async isThere(row: UploadRow): Promise<boolean> {
    return row.state === 'open' && (await this.#parts.store.head(waitingKey(row))) !== undefined
  }

  /** A request that sends all bytes of an upload. */
  async signPut(row: UploadRow): Promise<SignedRequest> {
    const { direct } = this.#parts
    const { size, type } = row
    const sum = await boundSum(row, () => direct.checksumsOfPuts())
    return direct.signPut(waitingKey(row), { expires: signedMs, size, type, once: true, ...sum })
  }

  /** The checksums that parts of an upload can be bound to: their CRC-32Cs where the upload was begun with that of all. */
  async checksumsOfParts({ crc32c }: UploadRow): Promise<readonly (keyof Checksums)[]> {
    const bound = await this.#parts.direct.checksumsOfParts()
    return bound.filter((name) => name !== 'crc32c' || crc32c !== undefined)
  }

  /**
   * Requests that send parts of an upload; whoever asks for them has it kept a while longer.
   *
   * @throws PLIMSOLL_UPLOAD_INVALID, _ENDED; PLIMSOLL_UPLOAD_CHECKSUM_UNSUPPORTED for a sha256 that the storage would not check
   */
  async signParts(row: UploadRow, spec: UploadSpec, wanted: readonly WantedPart[]): Promise<readonly SignedPart[]> {
    if (row.kind !== 'parts') throw invalidUpload('the upload does not come in parts')
    if (wanted.length === 0 || wanted.length > mostSigned)
      throw invalidUpload(`1 to ${mostSigned} parts are signed at a time`)
    const count = partCount(row)
    const compared = doneOnce(() => this.checksumsOfParts(row))
    if (wanted.some(({ sha256 }) => sha256 !== undefined)) checkSha256(await compared())
    const open = await ledger.prolong(this.#parts.postgres, row.id, spec.keepMs)
    if (open === undefined) throw endedUpload(row.state)
    const ref = await this.#storeUpload(open)
    return Promise.all(
      wanted.map(async ({ number, ...given }) => {
        if (!Number.isSafeInteger(number) || number < 1 || number > count)
          throw invalidUpload(`its parts are 1 to ${count}, not ${showValue(number)}`)
        const sums = readChecksums(given, notChecksum)
        if (sums.crc32c !== undefined && row.crc32c === undefined)
          throw invalidUpload('its parts have a crc32c only where the upload was begun with one')
        const size = partSize(row, number)
        const offset = (number - 1) * row.partBytes
        const sum = await boundSum(sums, compared)
        const request = await this.#parts.direct.signPart(ref, number, { expires: signedMs, size, offset, ...sum })
        return { number, size, ...request }
      }),
    )
  }

  /** Ends an upload with a file; see {@link completeUpload}. */
  complete(row: UploadRow, spec: UploadSpec): Promise<UploadOutcome> {
    const under = this.#completing.get(row.id)
    if (under !== undefined) return under
    const ended = completeUpload(this.#parts, row, spec).finally(() => this.#completing.delete(row.id))
    this.#completing.set(row.id, ended)
    return ended
  }

  /** Appends what comes; see {@link appendToUpload}. */
  async append(row: UploadRow, spec: UploadSpec, options: Omit<AppendOptions, 'signal'>): Promise<Appended> {
    // A client that comes back knows that its connection is broken, before we do.
    const before = this.#appending.get(row.id)
    before?.controller.abort(
      new PlimsollError('PLIMSOLL_UPLOAD_BUSY', 'The client goes on with this upload by another request.'),
    )
    await before?.ended
    const controller = new AbortController()
    const begin = (open: UploadRow): Promise<UploadRef> => this.#storeUpload(open)
    const appended = appendToUpload(
      { ...this.#parts, begin },
      { row, spec, options: { ...options, signal: controller.signal } },
    )
    const mine = { controller, ended: appended.then(ignore, ignore) }
    this.#appending.set(row.id, mine)
    try {
      const after = await appended
      if (after.whole && row.kind === 'partial') await finishPiece(this.#parts, await this.#reread(row))
      return after
    } finally {
      if (this.#appending.get(row.id) === mine) this.#appending.delete(row.id)
    }
  }

  /** Makes a piece of another upload whole, if its bytes are all there and it is not yet. */
  async finishPiece(row: UploadRow): Promise<void> {
    await finishPiece(this.#parts, row)
  }

  /**
   * Makes one upload of others that are whole, in their order, and completes it. Only then are they removed. Whoever asks for the same, at
   * the same time or later, is given the same upload.
   */
  async join(spec: UploadSpec, wanted: WantedJoin): Promise<UploadRow> {
    const { route } = spec
    const id = joinedId(route, wanted)
    const known = await ledger.find(this.#parts.postgres, id, route)
    if (known === undefined || (known.state === 'open' && known.received < known.size)) {
      await this.#joinPieces(spec, { ...wanted, id }).catch(async (error: unknown) => {
        const now = await ledger.find(this.#parts.postgres, id, route)
        // Another request was quicker, and has removed the pieces.
        if (now === undefined || now.state === 'open') throw error
      })
    }
    const row = await this.find(spec, id, wanted.owner)
    await this.complete(row, spec)
    await removePieces(this.#parts, wanted.pieces)
    return this.#reread(row)
  }

  /** Begins the upload if it is not yet, and has the store join its bytes. */
  async #joinPieces(spec: UploadSpec, wanted: WantedJoin & { readonly id: string }): Promise<void> {
    const { id, name, type, owner } = wanted
    const pieces: UploadRow[] = []
    for (const piece of wanted.pieces) pieces.push(await finishPiece(this.#parts, await this.find(spec, piece, owner)))
    checkPieces(pieces)
    const told = { name, type, size: pieces.reduce((sum, piece) => sum + piece.size, 0) }
    const row = await this.begin(spec, { ...told, id, kind: 'appended', owner: await wanted.ownerOf(told) })
    await joinUploads(this.#parts, row, pieces)
  }

  /** Gives an upload up, with all that it has left. @throws PLIMSOLL_UPLOAD_ENDED when it is stored */
  async abort({ id }: UploadRow): Promise<void> {
    const given = await ledger.giveUp(this.#parts.postgres, id)
    if (given === undefined) throw endedUpload('stored')
    await removeUpload(this.#parts, given)
  }

  /** Removes now what was given up; undefined when another process is at it. */
  sweep(): Promise<Sweep | undefined> {
    return sweepUploads(this.#parts, { restMs: this.#sweepMs / 2, signal: this.#closing.signal })
  }

  /**
   * Makes the tables when they are missing, and begins to sweep: soon, for a process may not live long, and then now and then, until `close`.
   *
   * @throws PLIMSOLL_UPLOADS_UNAVAILABLE
   */
  async start(): Promise<void> {
    await ensureUploadTables(this.#parts.postgres)
    if (this.#timer !== undefined || this.#closing.signal.aborted) return
    const sweep = (): void => {
      this.#sweeping = this.sweep().catch((error: unknown) =>
        process.emitWarning(`Uploads that were given up cannot be removed now: ${String(error)}`, 'PlimsollWarning'),
      )
    }
    this.#timer = setInterval(sweep, this.#sweepMs).unref()
    sweep()
  }

  /** Ends the sweeping, where it is: another process may go on. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearInterval(this.#timer)
    await this.#sweeping
  }

  /** The upload in parts at the store, begun if it is not yet: of those who begin it at the same time one does. */
  async #storeUpload(row: UploadRow): Promise<UploadRef> {
    const known = storeRef(row)
    if (known !== undefined) return known
    const { store, postgres } = this.#parts
    const key = waitingKey(row)
    const id = await store.uploads.create(key, { type: row.type, withCrc32c: row.crc32c !== undefined })
    if (await ledger.setStoreId(postgres, row.id, id)) return { key, id }
    await store.uploads.abort({ key, id })
    return storeRef(await this.#reread(row)) ?? Promise.reject(unknownUpload(row.id))
  }

  async #reread({ id, route }: Pick<UploadRow, 'id' | 'route'>): Promise<UploadRow> {
    return (await ledger.find(this.#parts.postgres, id, route)) ?? Promise.reject(unknownUpload(id))
  }
}

const ignore = (): void => {}

function checkSha256(compared: readonly (keyof Checksums)[]): void {
  if (compared.includes('sha256')) return
  const instead = compared.length > 0 ? `send ${compared.join(' or ')} instead, or leave it out` : 'leave it out'
  throw new PlimsollError(
    'PLIMSOLL_UPLOAD_CHECKSUM_UNSUPPORTED',
    `The storage does not check the sha256 of a part: ${instead}. That of the whole file is checked in the end, where the upload was begun with it.`,
  )
}

function checkWanted({ name, type, size }: WantedUpload): void {
  if (typeof name !== 'string' || name === '' || name.length > longestName)
    throw invalidUpload(`name is a text of 1 to ${longestName} characters`)
  if (typeof type !== 'string' || !/^[\w.+-]{1,100}\/[\w.+-]{1,100}$/.test(type))
    throw invalidUpload(`type is a media type, such as image/png, not ${showValue(type)}`)
  if (!Number.isSafeInteger(size) || size < 1)
    throw invalidUpload(`size is a number of bytes, 1 or more, not ${showValue(size)}`)
}
