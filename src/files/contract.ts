import type { FileHandle } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import type { Duration } from '../core/duration.ts'
import type { Size } from '../core/size.ts'

/**
 * What a store of files promises. The words: an *object* is bytes under a key, with a type and a few facts beside them; an *upload* is an
 * object that comes in parts, and is there once it is completed, never before.
 *
 * - An object is there whole or not at all: whoever reads while it is replaced gets the old one or the new one.
 * - What `put` and `complete` have acknowledged survives a crash of the process, and on disk of the machine.
 * - Memory does not grow with the size of an object.
 * - A key is 1 to 900 bytes of UTF-8: parts between single slashes, none of them empty, `.` or `..`, no control characters and no
 *   backslashes; none begins with `.plimsoll/`. Others are refused with PLIMSOLL_FILE_KEY_INVALID before the store hears of them.
 * - What is given back of an object's facts is what was given; what cannot be kept is refused with PLIMSOLL_FILE_FACTS_INVALID.
 *
 * Every method may reject with PLIMSOLL_STORAGE_UNREACHABLE, PLIMSOLL_STORAGE_UNAVAILABLE (credentials, a missing bucket, a folder that cannot
 * be written), PLIMSOLL_STORAGE_CLOSED and, those that write, PLIMSOLL_STORAGE_FULL. What a body fails with, and the reason of a signal, are
 * passed on as they are.
 */
export interface FileStore extends AsyncDisposable {
  readonly engine: 'disk' | 's3' | 'gcs'
  readonly features: FileStoreFeatures
  /** How clients reach objects without this process; undefined where they cannot. */
  readonly direct: DirectAccess | undefined
  readonly uploads: MultipartUploads

  /**
   * Stores an object. A stream may be of any length, which need not be known; when it fails, or the signal aborts, nothing is stored.
   *
   * @throws PLIMSOLL_FILE_EXISTS with `ifAbsent`; PLIMSOLL_FILE_CHANGED with `ifMatch`; PLIMSOLL_FILE_CORRUPT when the bytes are not those
   * that `size`, `sha256` and `crc32c` say; PLIMSOLL_FILE_TOO_LARGE
   */
  put(key: string, body: FileBody, options?: PutOptions): Promise<WrittenObject>

  /**
   * Opens an object for reading, or a part of it. The stream must be read or destroyed. It has the bytes of one and the same object, and
   * ends after all of them or fails.
   *
   * @throws PLIMSOLL_FILE_NOT_FOUND; PLIMSOLL_FILE_CHANGED with `ifMatch`; PLIMSOLL_FILE_RANGE_INVALID when the range begins behind the end
   */
  get(key: string, options?: GetOptions): Promise<OpenObject>

  /** What is known of an object; undefined when there is none. */
  head(key: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<StoredObject | undefined>

  /**
   * Copies an object within the store; its bytes do not pass through this process. Facts that are given take the place of the source's.
   *
   * @throws PLIMSOLL_FILE_NOT_FOUND, PLIMSOLL_FILE_EXISTS
   */
  copy(from: string, to: string, options?: CopyOptions): Promise<WrittenObject>

  /**
   * Makes one object of others, in their order; within the store where it can.
   *
   * @throws PLIMSOLL_FILE_NOT_FOUND, PLIMSOLL_FILE_EXISTS
   */
  compose(parts: readonly string[], to: string, options?: PutOptions): Promise<WrittenObject>

  /** Objects whose keys begin with a text, in the order of their keys' bytes. */
  list(prefix: string, page?: ListOptions): Promise<ObjectPage>

  /** Removes objects; those that are not there are no error. */
  delete(keys: readonly string[]): Promise<void>

  close(): Promise<void>
}

export interface FileStoreFeatures {
  /** The largest object, in bytes. */
  readonly maxBytes: number
  /** The smallest part of an upload but the last, in bytes. */
  readonly minPartBytes: number
  readonly maxPartBytes: number
  readonly maxParts: number
  /** Whether parts are stored as they come, none of them being held in memory: another one can come while the last one is made safe. */
  readonly streamsParts: boolean
  /**
   * A local path of the bytes of an object, for programs that read files; undefined where there is none. It is good until the object is
   * replaced or removed: who has opened it by then can go on reading.
   *
   * @throws PLIMSOLL_FILE_NOT_FOUND
   */
  readonly localPath?: ((key: string) => string) | undefined
  /**
   * Opens the bytes of an object as a file of this machine, for whoever reads files better than a stream; undefined where there are none.
   * It has the bytes of one and the same object, also when that is replaced, and may be shared with others who read it. Whoever asks for it
   * releases it.
   *
   * @throws PLIMSOLL_FILE_NOT_FOUND
   */
  readonly openFile?: ((key: string) => Promise<LocalFile>) | undefined
}

/** An object that is open as a file. */
export interface LocalFile {
  readonly object: StoredObject
  /** Read at positions; not closed, and not written. */
  readonly file: FileHandle
  /** Says that it is not read any more. */
  release(): void
}

/** What can be stored. */
export type FileBody = Uint8Array | Readable | AsyncIterable<Uint8Array>

/** What is written beside the bytes. */
export interface ObjectFacts {
  /** Its media type. Default `application/octet-stream`. */
  readonly type?: string | undefined
  readonly cacheControl?: string | undefined
  readonly disposition?: string | undefined
  /** Facts of your own: names of `[a-z0-9-]`, values of printable ASCII without spaces at their ends; 2 KB in all. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

/** The checksums that bytes must have, in hexadecimal: other bytes are refused. */
export interface Checksums {
  /** 64 digits. */
  readonly sha256?: string | undefined
  /**
   * CRC-32C, 8 digits: that of `123456789` is `e3069283`. S3 and Google's storage keep it themselves, and write its four bytes in base64:
   * `Buffer.from(base64, 'base64').toString('hex')` is what is wanted here.
   */
  readonly crc32c?: string | undefined
}

export interface PutOptions extends ObjectFacts, Checksums {
  /** How many bytes there are, if it is known: other numbers are refused. */
  readonly size?: number | undefined
  /** Stores only where nothing is. Default false. */
  readonly ifAbsent?: boolean | undefined
  /** Replaces only what has this ETag. */
  readonly ifMatch?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface CopyOptions extends ObjectFacts {
  readonly ifAbsent?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface GetOptions {
  /** Both ends belong to it; without `last` to the end of the object. An end behind that of the object is one. */
  readonly range?: { readonly first: number; readonly last?: number | undefined } | undefined
  readonly ifMatch?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * What is known of an object that has just been stored. When that was is not part of it: a bucket dates an object by a clock of its own, at
 * a moment of its own, and says so only to who asks, as `head` does.
 */
export interface WrittenObject {
  readonly key: string
  readonly size: number
  /** A strong validator, as in RFC 9110, with its quotes: other bytes have another one. */
  readonly etag: string
  /**
   * The CRC-32C of its bytes, where the store knows it without reading them: Google's always does, a folder where it was stored with one,
   * and so do S3 and those of its kind that keep it. S3 does not tell it of ranges, nor in lists.
   */
  readonly crc32c: string | undefined
  readonly type: string
  readonly cacheControl: string | undefined
  readonly disposition: string | undefined
  readonly metadata: Readonly<Record<string, string>>
}

export interface StoredObject extends WrittenObject {
  /** Epoch milliseconds, whole seconds. */
  readonly modifiedAt: number
}

export interface OpenObject extends StoredObject {
  /** The range that the stream has, of the object's `size` bytes. Of an empty object it is 0 to -1. */
  readonly first: number
  readonly last: number
  readonly stream: Readable
}

export interface ListOptions {
  /** Up to 1000, which is the default. */
  readonly size?: number | undefined
  /** The `next` of the page before: a key, behind which the page begins. */
  readonly after?: string | undefined
}

export interface ObjectPage {
  readonly objects: readonly Pick<StoredObject, 'key' | 'size' | 'etag' | 'crc32c' | 'modifiedAt'>[]
  /** Undefined at the end. */
  readonly next: string | undefined
}

/** Objects that come in parts, in any order and at the same time; also over days, and after a restart. */
export interface MultipartUploads {
  /** Resolves to the id of the upload: up to 1 KB of printable ASCII. */
  create(key: string, options?: CreateUploadOptions): Promise<string>
  /**
   * Stores a part; the same number again replaces it. Numbers begin with 1.
   *
   * @throws PLIMSOLL_UPLOAD_NOT_FOUND; PLIMSOLL_FILE_CORRUPT
   */
  putPart(upload: UploadRef, number: number, body: FileBody, options: PartOptions): Promise<StoredPart>
  /** The parts that are there, by number. @throws PLIMSOLL_UPLOAD_NOT_FOUND */
  parts(upload: UploadRef): Promise<readonly StoredPart[]>
  /**
   * Makes the object of the parts. A second time it is the same object.
   *
   * @throws PLIMSOLL_UPLOAD_NOT_FOUND; PLIMSOLL_FILE_EXISTS with `ifAbsent`; PLIMSOLL_FILE_CORRUPT when a part is missing or another one
   */
  complete(
    upload: UploadRef,
    parts: readonly Pick<StoredPart, 'number' | 'etag'>[],
    options?: { readonly ifAbsent?: boolean | undefined },
  ): Promise<WrittenObject>
  /** Ends an upload and frees its parts; one that is not there is no error. */
  abort(upload: UploadRef): Promise<void>
  /** Uploads that were created and have not ended, the oldest first. */
  list(prefix: string): AsyncIterable<UploadRef & { readonly createdAt: number }>
}

export interface CreateUploadOptions extends ObjectFacts {
  /**
   * Whether its object is to know its CRC-32C, and requests for its parts may be signed with theirs. Amazon's S3 has to be told before.
   * Default false.
   */
  readonly withCrc32c?: boolean | undefined
}

export interface UploadRef {
  readonly key: string
  readonly id: string
}

export interface PartOptions extends Checksums {
  /** How many bytes it has. */
  readonly size: number
  /**
   * Where it will lie in the object, in bytes, where that is known: a store may write it there at once. One that is to lie elsewhere in the
   * end, for the parts before it have other sizes by then, is copied there.
   */
  readonly offset?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface StoredPart {
  readonly number: number
  readonly size: number
  readonly etag: string
}

/**
 * Signed addresses: who has one may do what it says, until it expires. They are made without asking the store; what a service other than Amazon's
 * checks is tried once, when the first address depends on it.
 *
 * @throws PLIMSOLL_FEATURE_UNSUPPORTED where the store would not check what is to be signed
 */
export interface DirectAccess {
  /** True where the answer to a signed GET says the Cache-Control that is stored, and no other one can be asked for. */
  readonly keepsCacheControl?: boolean | undefined
  /**
   * Where the answer to a signed GET has an ETag of another kind than the store gives an object: whether an entity tag is of the store's kind,
   * which the service behind the address does not know. Undefined where both are the same.
   */
  readonly isForeignTag?: ((etag: string) => boolean) | undefined
  /** An address to GET an object, or a range of it. */
  signGet(key: string, options: SignGetOptions): Promise<string>
  /** A request that stores an object of exactly this size and type. */
  signPut(key: string, options: SignPutOptions): Promise<SignedRequest>
  /**
   * A form that a browser can post: `file` is its last field. Until it expires it may be posted again, and replaces what is there, for
   * forms have no condition as requests have: what was verified under the key may be other bytes afterwards.
   */
  signPost(key: string, options: SignPostOptions): Promise<SignedForm>
  /** A request that stores a part of an upload, of exactly this size. */
  signPart(upload: UploadRef, number: number, options: SignPartOptions): Promise<SignedRequest>
  /** The checksums that {@link DirectAccess.signPut} binds an object to; Amazon's S3 takes one at a time. */
  checksumsOfPuts(): Promise<readonly (keyof Checksums)[]>
  /** The checksums that {@link DirectAccess.signPart} binds a part to; CRC-32Cs of an upload that was created `withCrc32c`. */
  checksumsOfParts(): Promise<readonly (keyof Checksums)[]>
}

export interface SignGetOptions {
  /** How long the address holds: `'1s'` to `'7d'`. */
  readonly expires: Duration
  /** What the answer says instead of what is stored. */
  readonly disposition?: string | undefined
  readonly type?: string | undefined
  readonly cacheControl?: string | undefined
}

export interface SignPutOptions extends Checksums {
  /** How long the address holds: `'1s'` to `'7d'`. */
  readonly expires: Duration
  /** Exactly. */
  readonly size: Size
  readonly type: string
  /** Refuses to replace what is there. Default true. */
  readonly once?: boolean | undefined
}

export interface SignPostOptions {
  /** How long the form holds: `'1s'` to `'7d'`. */
  readonly expires: Duration
  readonly maxBytes: Size
  /** Default 0. */
  readonly minBytes?: Size | undefined
  readonly type: string
}

export interface SignPartOptions extends Checksums {
  /** How long the address holds: `'1s'` to `'7d'`. */
  readonly expires: Duration
  /** Exactly. */
  readonly size: Size
  /** As in {@link PartOptions}. */
  readonly offset?: number | undefined
}

/** What a client has to send, besides the bytes. */
export interface SignedRequest {
  readonly method: 'PUT'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

export interface SignedForm {
  readonly url: string
  readonly fields: Readonly<Record<string, string>>
}
