import type { Readable } from 'node:stream'
import type {
  CompletedPart,
  GetObjectCommand,
  GetObjectOutput,
  HeadObjectCommand,
  ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3'
import { isPlimsollError } from '../../../core/errors.ts'
import { checkRange, rangeWithin } from '../../byte-range.ts'
import { checkListing, checkPut } from '../../check-options.ts'
import { hasChecksums, toBase64 } from '../../checksums.ts'
import type {
  Checksums,
  CopyOptions,
  DirectAccess,
  FileBody,
  FileStore,
  FileStoreFeatures,
  GetOptions,
  ListOptions,
  MultipartUploads,
  ObjectPage,
  OpenObject,
  PutOptions,
  StoredObject,
  WrittenObject,
} from '../../contract.ts'
import { Crc32c } from '../../crc32c.ts'
import { bytesOf, checkAnnounced, endBody } from '../../file-body.ts'
import { fileCorrupt, fileNotFound } from '../../file-errors.ts'
import { guardStream } from '../../guarded-stream.ts'
import { checkKey, ownFolder } from '../../object-key.ts'
import { copiedFacts, type CheckedFacts } from '../../object-facts.ts'
import { mostUnknownBytes, partSize, sendParts, wholeBytes } from './multipart-put.ts'
import { PartReader } from '../../part-reader.ts'
import { S3Client, type S3Source } from './s3-client.ts'
import { S3Checksums, uploadWithCrc32c } from './s3-checksums.ts'
import { S3Conditions } from './s3-conditions.ts'
import { S3Direct } from './s3-direct.ts'
import { isMissing, unreachable } from './s3-errors.ts'
import { fromChecksums, fromHead, joinedEtag, toEtag, toHeaders } from './s3-objects.ts'
import { copyInParts, mostCopied } from './s3-copies.ts'
import { S3Uploads } from './s3-uploads.ts'

const gigabyte = 1024 ** 3
const features: FileStoreFeatures = Object.freeze({
  maxBytes: 5 * 1024 * gigabyte,
  minPartBytes: 5 * 1024 ** 2,
  maxPartBytes: 5 * gigabyte,
  maxParts: 10_000,
  streamsParts: false,
})
const deletedAtOnce = 1000
/** Behind all that this driver keeps there. */
const ownFolderEnd = `${ownFolder}~`

/**
 * Objects in a bucket of Amazon S3, or of a service that speaks its protocol.
 *
 * @example
 * await using store = await s3Store({ url: 's3://my-bucket?region=eu-north-1' })
 * await store.put('notes/1.txt', Buffer.from('hello'), { type: 'text/plain' })
 * @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_PEER_MISSING; the bucket is not asked before the first call
 */
export async function s3Store(source: S3Source): Promise<FileStore> {
  return new S3Store(await S3Client.open(source))
}

class S3Store implements FileStore {
  readonly engine = 's3'
  readonly features: FileStoreFeatures = features
  readonly direct: DirectAccess
  readonly uploads: MultipartUploads
  readonly #s3: S3Client
  readonly #conditions: S3Conditions
  readonly #checksums: S3Checksums
  #bucketIsThere = false

  constructor(s3: S3Client) {
    this.#s3 = s3
    this.#conditions = new S3Conditions(s3)
    this.#checksums = new S3Checksums(s3)
    const parts = { conditions: this.#conditions, checksums: this.#checksums, features }
    this.uploads = new S3Uploads(s3, parts)
    this.direct = new S3Direct(s3, parts)
  }

  async put(key: string, body: FileBody, options: PutOptions = {}): Promise<WrittenObject> {
    try {
      const facts = checkPut(key, options)
      this.#s3.checkOpen()
      const failed = new AbortController()
      const signal = options.signal === undefined ? failed.signal : AbortSignal.any([options.signal, failed.signal])
      const announced = {
        key,
        ...options,
        signal,
        mostBytes: options.size === undefined ? mostUnknownBytes : features.maxBytes,
      }
      checkAnnounced(announced)
      const reader = new PartReader(bytesOf(body, announced))
      const first = await reader.next(Math.max(wholeBytes, partSize(1, options.size)))
      if (first.last) return await this.#putWhole(key, first.bytes, { facts, options })
      return await this.#putParts(key, { reader, first, failed }, { facts, options })
    } catch (error) {
      endBody(body)
      throw error
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<OpenObject> {
    checkKey(key)
    const { range, ifMatch, signal } = options
    checkRange(range)
    const get = (): GetObjectCommand =>
      new this.#s3.sdk.GetObjectCommand({
        ...this.#s3.at(key),
        Range: range && `bytes=${range.first}-${range.last ?? ''}`,
        IfMatch: ifMatch,
      })
    const call = { key, ifMatch, signal }
    // Of a range it may be the part's that is told.
    const asked = range === undefined ? this.#checksums.ask(get, call) : this.#s3.send(get(), call)
    const answer = await asked.catch((error: unknown) => {
      throw isPlimsollError(error, 'PLIMSOLL_FILE_CHANGED') && isMissing((error as Error).cause)
        ? fileNotFound(key)
        : error
    })
    const size = sizeOf(answer)
    const { first, last } = range === undefined ? { first: 0, last: size - 1 } : rangeWithin(range, size)
    const stream = guardStream(answer.Body as Readable, {
      bytes: last - first + 1,
      idleMs: this.#s3.timeoutMs,
      signal,
      toError: (cause) => unreachable(this.#s3.name, cause),
    })
    const object = fromHead(key, answer, size)
    return { ...object, crc32c: range === undefined ? object.crc32c : undefined, first, last, stream }
  }

  async head(
    key: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<StoredObject | undefined> {
    checkKey(key)
    const head = (): HeadObjectCommand => new this.#s3.sdk.HeadObjectCommand(this.#s3.at(key))
    try {
      return fromHead(key, await this.#checksums.ask(head, { key, signal: options.signal }))
    } catch (error) {
      if (!isPlimsollError(error, 'PLIMSOLL_FILE_NOT_FOUND')) throw error
      await this.#checkBucket(options.signal)
      return undefined
    }
  }

  async copy(from: string, to: string, options: CopyOptions = {}): Promise<WrittenObject> {
    checkKey(from)
    checkPut(to, options)
    const source = await this.#need(from, options.signal)
    const facts = copiedFacts(source, options)
    if (source.size > mostCopied)
      return this.#join([source], to, { facts, options: { ...options, crc32c: source.crc32c } })
    return this.#conditions.run({ key: to, call: 'copy', conditions: options }, async (headers) => {
      const command = new this.#s3.sdk.CopyObjectCommand({
        ...this.#s3.at(to),
        ...headers,
        ...toHeaders(facts),
        CopySource: this.#sourceOf(from),
        CopySourceIfMatch: source.etag,
        MetadataDirective: 'REPLACE',
      })
      const call = { key: to, ...options, bytes: source.size, once: options.ifAbsent }
      const { CopyObjectResult } = await this.#s3.send(command, call)
      const etag = toEtag(CopyObjectResult?.ETag)
      return { key: to, size: source.size, etag, crc32c: fromChecksums(CopyObjectResult ?? {}), ...facts }
    })
  }

  async compose(parts: readonly string[], to: string, options: PutOptions = {}): Promise<WrittenObject> {
    for (const key of parts) checkKey(key)
    const facts = checkPut(to, options)
    checkAnnounced({ key: to, ...options, mostBytes: features.maxBytes })
    const sources = await Promise.all(parts.map((key) => this.#need(key, options.signal)))
    const size = sources.reduce((sum, source) => sum + source.size, 0)
    if (options.size !== undefined && options.size !== size)
      throw fileCorrupt(to, `there are ${size} of ${options.size}`)
    const joins =
      sources.length <= features.maxParts &&
      sources.slice(0, -1).every((source) => source.size >= features.minPartBytes)
    // What the service does not read by itself cannot be checked by it.
    if (joins && size > 0 && !hasChecksums(options)) return this.#join(sources, to, { facts, options })
    return this.put(to, this.#bytesOf(sources, options.signal), { ...options, size })
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ObjectPage> {
    const { size, after } = checkListing(prefix, options)
    const found: ObjectPage['objects'][number][] = []
    for (let start = after; ;) {
      const command = new this.#s3.sdk.ListObjectsV2Command({
        Bucket: this.#s3.bucket,
        Prefix: this.#s3.keyOf(prefix),
        StartAfter: start && this.#s3.keyOf(start),
        MaxKeys: size - found.length,
      })
      const page: ListObjectsV2CommandOutput = await this.#s3.send(command)
      for (const { Key = '', Size = 0, ETag, LastModified } of page.Contents ?? []) {
        const key = Key.slice(this.#s3.prefix.length)
        start = key.startsWith(ownFolder) ? ownFolderEnd : key
        if (start !== key) continue
        const modifiedAt = Math.floor((LastModified?.getTime() ?? 0) / 1000) * 1000
        found.push({ key, size: Size, etag: toEtag(ETag), crc32c: undefined, modifiedAt })
      }
      if (page.IsTruncated !== true) return { objects: found, next: undefined }
      if (found.length === size) return { objects: found, next: found.at(-1)!.key }
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkKey(key)
    this.#s3.checkOpen()
    const failed = []
    for (let n = 0; n < keys.length; n += deletedAtOnce) {
      const Objects = keys.slice(n, n + deletedAtOnce).map((key) => ({ Key: this.#s3.keyOf(key) }))
      const command = new this.#s3.sdk.DeleteObjectsCommand({
        Bucket: this.#s3.bucket,
        Delete: { Objects, Quiet: true },
      })
      const { Errors = [] } = await this.#s3.send(command)
      failed.push(...Errors.filter(({ Code }) => Code !== 'NoSuchKey'))
    }
    const [one] = failed
    if (one === undefined) return
    const message = `${failed.length} of ${keys.length} files were not removed, the first of them '${one.Key}': ${one.Message}`
    throw this.#s3.toError(Object.assign(new Error(message), { name: one.Code ?? 'InternalError' }))
  }

  async close(): Promise<void> {
    this.#s3.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #putWhole(
    key: string,
    bytes: Buffer,
    { facts, options }: { readonly facts: CheckedFacts; readonly options: PutOptions },
  ): Promise<WrittenObject> {
    const { crc32c } = await this.#kept(options, ['all', 'puts'])
    return this.#conditions.run({ key, call: 'put', conditions: options }, async (headers) => {
      const command = new this.#s3.sdk.PutObjectCommand({
        ...this.#s3.at(key),
        ...headers,
        ...toHeaders(facts),
        ChecksumCRC32C: crc32c && toBase64(crc32c),
        Body: bytes,
      })
      const { ifAbsent, ifMatch, signal } = options
      const once = ifAbsent === true || ifMatch !== undefined
      const { ETag } = await this.#s3.send(command, { key, ifAbsent, ifMatch, signal, bytes: bytes.length, once })
      return { key, size: bytes.length, etag: toEtag(ETag), crc32c, ...facts }
    })
  }

  async #putParts(
    key: string,
    {
      reader,
      first,
      failed,
    }: {
      readonly reader: PartReader
      readonly first: { readonly bytes: Buffer; readonly last: boolean }
      readonly failed: AbortController
    },
    { facts, options }: { readonly facts: CheckedFacts; readonly options: PutOptions },
  ): Promise<WrittenObject> {
    let size = 0
    const upload = async (UploadId: string, isChecked: boolean): Promise<readonly CompletedPart[]> =>
      sendParts<CompletedPart>(reader, first, {
        key,
        total: options.size,
        failed,
        uploadPart: async (PartNumber, bytes, signal) => {
          size += bytes.length
          const at = { ...this.#s3.at(key), UploadId, PartNumber }
          // A client of the user's own would send a sum of another kind, which is refused.
          const ChecksumCRC32C = isChecked ? toBase64(new Crc32c().update(bytes).digest('hex')) : undefined
          const command = new this.#s3.sdk.UploadPartCommand({ ...at, ChecksumCRC32C, Body: bytes })
          const { ETag } = await this.#s3.send(command, { key, signal, bytes: bytes.length })
          return { PartNumber, ETag }
        },
      })
    const made = await this.#inParts(key, { facts, options }, upload)
    return { key, size, ...made, ...facts }
  }

  /** Joins objects, or parts of a large one, without their bytes coming by here. */
  async #join(
    sources: readonly StoredObject[],
    to: string,
    { facts, options }: { readonly facts: CheckedFacts; readonly options: PutOptions },
  ): Promise<WrittenObject> {
    const { signal } = options
    const upload = (UploadId: string): Promise<readonly CompletedPart[]> =>
      copyInParts(this.#s3, sources, {
        at: { ...this.#s3.at(to), UploadId },
        sourceOf: (key) => this.#sourceOf(key),
        signal,
      })
    const made = await this.#inParts(to, { facts, options }, upload)
    const size = sources.reduce((sum, source) => sum + source.size, 0)
    return { key: to, size, ...made, ...facts }
  }

  /** Creates a multipart upload, has its parts sent and completes it; whatever fails, the parts are removed. Resolves to what is known of its bytes. */
  async #inParts(
    key: string,
    { facts, options }: { readonly facts: CheckedFacts; readonly options: PutOptions },
    upload: (id: string, isChecked: boolean) => Promise<readonly CompletedPart[]>,
  ): Promise<Pick<WrittenObject, 'etag' | 'crc32c'>> {
    const { sdk } = this.#s3
    const { ifAbsent, ifMatch, signal } = options
    // Before all of the bytes are sent in vain.
    await this.#conditions.check(key, options)
    const { crc32c } = await this.#kept(options, ['all'])
    const create = new sdk.CreateMultipartUploadCommand({
      ...this.#s3.at(key),
      ...toHeaders(facts),
      ...(crc32c && uploadWithCrc32c),
    })
    const { UploadId } = await this.#s3.send(create, { key, signal })
    const at = { ...this.#s3.at(key), UploadId }
    try {
      const Parts = [...(await upload(UploadId!, crc32c !== undefined))]
      return await this.#conditions.run({ key, call: 'complete', conditions: options }, async (headers) => {
        const command = new sdk.CompleteMultipartUploadCommand({
          ...at,
          ...headers,
          ...(crc32c && { ChecksumCRC32C: toBase64(crc32c), ChecksumType: uploadWithCrc32c.ChecksumType }),
          MultipartUpload: { Parts },
        })
        const call = { key, ifAbsent, ifMatch, signal, uploadId: UploadId, once: true }
        const { ETag } = await this.#s3.send(command, call)
        // Ceph 16 leaves it out.
        return { etag: toEtag(ETag || joinedEtag(Parts.map((part) => part.ETag ?? ''))), crc32c }
      })
    } catch (error) {
      await this.#s3.send(new sdk.AbortMultipartUploadCommand(at)).catch(() => {})
      throw error
    }
  }

  /** The CRC-32C that the service is told and keeps. */
  async #kept({ crc32c }: Checksums, by: readonly string[]): Promise<Checksums> {
    if (crc32c === undefined || !by.includes(await this.#checksums.keepsCrc32c())) return {}
    return { crc32c: crc32c.toLowerCase() }
  }

  async *#bytesOf(sources: readonly StoredObject[], signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
    for (const { key, etag: ifMatch } of sources) {
      for await (const chunk of (await this.get(key, { ifMatch, signal })).stream) yield chunk as Buffer
    }
  }

  async #need(key: string, signal: AbortSignal | undefined): Promise<StoredObject> {
    const head = await this.head(key, { signal })
    if (head === undefined) throw fileNotFound(key)
    return head
  }

  /** A HEAD says of a bucket that is not there the same as of an object. */
  async #checkBucket(signal: AbortSignal | undefined): Promise<void> {
    if (this.#bucketIsThere) return
    const { sdk, bucket, name } = this.#s3
    await this.#s3.send(new sdk.HeadBucketCommand({ Bucket: bucket }), { signal }).catch((error: unknown) => {
      if (!isPlimsollError(error, 'PLIMSOLL_FILE_NOT_FOUND')) throw error
      throw this.#s3.toError(
        Object.assign(new Error(`There is no bucket '${bucket}' at ${name}`), { name: 'NoSuchBucket' }),
      )
    })
    this.#bucketIsThere = true
  }

  #sourceOf(key: string): string {
    return `${this.#s3.bucket}/${this.#s3.keyOf(key).split('/').map(encodeURIComponent).join('/')}`
  }
}

/** The size of the whole object, of which a range may have been answered. */
function sizeOf({ ContentRange, ContentLength = 0 }: GetObjectOutput): number {
  const [, size] = /\/(\d+)$/.exec(ContentRange ?? '') ?? []
  return size === undefined ? ContentLength : Number(size)
}
