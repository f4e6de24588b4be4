import type { Checksums, SignedRequest, StoredPart } from '../../files/contract.ts'
import { partCount, partSize } from '../../files/uploads/complete-upload.ts'
import { mostSigned } from '../../files/uploads/open-uploads.ts'
import type { UploadOutcome } from '../../files/uploads/types.ts'
import { fromKept, type KeptRefusal } from '../../files/uploads/upload-errors.ts'
import type { UploadRow } from '../../files/uploads/upload-row.ts'
import { toProblem, type Problem } from '../problem.ts'

/** What a client is told of its upload; `null` is what there is not. */
export interface UploadTicket {
  readonly id: string
  readonly state: 'open' | 'stored' | 'refused'
  readonly name: string
  readonly type: string
  readonly size: number
  /** Until when it is kept, if nobody goes on with it. */
  readonly expiresAt: string
  readonly self: string
  /** Where to say, by POST, that all bytes are there. */
  readonly complete: string
  /** The request that sends all bytes; of an upload in one request that has not come. */
  readonly put: SignedRequest | null
  /** Of an upload in parts. */
  readonly parts: UploadPartsTicket | null
  /** What it has become. */
  readonly stored: StoredTicket | null
  /** Why it was refused. */
  readonly problem: Problem | null
}

/** How the parts of an upload come. */
export interface UploadPartsTicket {
  /** The size of each but the last, in bytes. */
  readonly size: number
  readonly count: number
  /** Where to ask, by POST of `{ "parts": [{ "number": 1 }] }`, for requests that send them. */
  readonly url: string
  /** How many of them at a time. */
  readonly most: number
  /** The numbers of those that are there. */
  readonly arrived: readonly number[]
  /** The checksums that a part can be bound to, by the names that they have in what asks for its request. */
  readonly checksums: readonly (keyof Checksums)[]
}

/** What an upload has become, as its client is told. */
export interface StoredTicket {
  readonly file: {
    readonly id: string
    readonly key: string
    readonly name: string
    readonly type: string
    readonly size: number
    readonly sha256: string | null
    readonly crc32c: string | null
    readonly picture: { readonly width: number; readonly height: number } | null
  }
  /** What `onStored` returned. */
  readonly result: unknown
}

/** Where an upload lies under the path of its place. */
export function uploadPlace(path: string, id: string): string {
  return `${path.replace(/\/$/, '')}/${id}`
}

/** An upload as its client sees it. */
export function toTicket(
  row: UploadRow,
  {
    path,
    put,
    arrived,
    checksums,
  }: {
    readonly path: string
    readonly put: SignedRequest | undefined
    readonly arrived: readonly StoredPart[]
    readonly checksums: readonly (keyof Checksums)[]
  },
): UploadTicket {
  const self = uploadPlace(path, row.id)
  return {
    id: row.id,
    state: row.state === 'stored' || row.state === 'refused' ? row.state : 'open',
    name: row.name,
    type: row.type,
    size: row.size,
    expiresAt: new Date(row.expiresAt).toISOString(),
    self,
    complete: `${self}/complete`,
    put: put ?? null,
    parts:
      row.kind !== 'parts'
        ? null
        : {
            size: row.partBytes,
            count: partCount(row),
            url: `${self}/parts`,
            most: mostSigned,
            arrived: arrived.filter(({ number, size }) => size === partSize(row, number)).map(({ number }) => number),
            checksums,
          },
    stored: row.state === 'stored' ? toStoredTicket(row.outcome as UploadOutcome) : null,
    problem: row.state === 'refused' ? toProblem(fromKept(row.outcome as KeptRefusal)) : null,
  }
}

/** What an upload has become, as its client sees it. */
export function toStoredTicket({ file, result }: UploadOutcome): StoredTicket {
  const { id, key, name, type, size, sha256, crc32c, picture } = file
  return {
    file: { id, key, name, type, size, sha256: sha256 ?? null, crc32c: crc32c ?? null, picture: picture ?? null },
    result: result ?? null,
  }
}
