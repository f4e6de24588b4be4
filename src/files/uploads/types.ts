import type { Checksums, DirectAccess, FileStore } from '../contract.ts'
import type { Postgres, Transaction } from '../../postgres/index.ts'
import type { AcceptedTypes } from './accepted-types.ts'
import type { PictureSize } from './picture-size.ts'

/** A file that was uploaded and verified. */
export interface StoredUpload {
  /** Of the upload. */
  readonly id: string
  /** Where it lies in the storage from now on. */
  readonly key: string
  /** As the client calls it, sanitised. */
  readonly name: string
  /** What its first bytes say it is. */
  readonly type: string
  /** In bytes. */
  readonly size: number
  readonly etag: string
  /** The SHA-256 of its bytes in hexadecimal, which was verified; undefined when the client has not given it. */
  readonly sha256: string | undefined
  /** The same of its CRC-32C. */
  readonly crc32c: string | undefined
  readonly owner: string | undefined
  /** The sides of a picture, where the uploads are of pictures. */
  readonly picture: PictureSize | undefined
}

/** What one place takes, and what becomes of it. */
export interface UploadSpec {
  /** The path of the place. */
  readonly route: string
  readonly accept: AcceptedTypes
  readonly maxBytes: number
  /** The size of parts, and from which size on a file comes in parts; undefined for never. */
  readonly parts: { readonly bytes: number; readonly from: number } | undefined
  /** The most pixels that a picture may have; undefined where uploads are no pictures. */
  readonly mostPixels: number | undefined
  /** How long an upload is kept after somebody has last gone on with it. */
  readonly keepMs: number
  /** Where a verified file is to lie. */
  keyOf(file: Omit<StoredUpload, 'key' | 'etag'>): string
  /** Content-Disposition and Cache-Control that are stored with a file. */
  factsOf(file: Omit<StoredUpload, 'key' | 'etag'>): {
    readonly disposition: string
    readonly cacheControl: string | undefined
  }
  /** Runs in the transaction that ends the upload, once; what it gives is kept with it, as JSON. */
  onStored(file: StoredUpload, transaction: Transaction): unknown
}

/** What an upload works with. */
export interface UploadParts {
  readonly postgres: Postgres
  readonly store: FileStore
  readonly direct: DirectAccess
}

/** What a client says of a file that it wants to upload. */
export interface WantedUpload extends Checksums {
  readonly name: string
  readonly type: string
  readonly size: number
}

/** What an upload has become. */
export interface UploadOutcome {
  readonly file: StoredUpload
  /** What `onStored` gave. */
  readonly result: unknown
}
