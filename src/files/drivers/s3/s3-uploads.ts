import { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import type {
  HeadObjectCommand,
  ListMultipartUploadsCommandInput,
  ListMultipartUploadsCommandOutput,
} from '@aws-sdk/client-s3'
import { backoffMs } from '../../../core/backoff.ts'
import { isPlimsollError } from '../../../core/errors.ts'
import { checkPart, checkPut } from '../../check-options.ts'
import type {
  CreateUploadOptions,
  FileBody,
  FileStoreFeatures,
  MultipartUploads,
  PartOptions,
  StoredPart,
  UploadRef,
  WrittenObject,
} from '../../contract.ts'
import { bytesOf, checkAnnounced, endBody, gathered, mostHeld } from '../../file-body.ts'
import { fileCorrupt, uploadNotFound } from '../../file-errors.ts'
import { asWritten } from '../../object-facts.ts'
import { checkKey, checkPrefix, ownFolder } from '../../object-key.ts'
import { uploadWithCrc32c, type S3Checksums } from './s3-checksums.ts'
import type { S3Client } from './s3-client.ts'
import type { S3Conditions } from './s3-conditions.ts'
import { unreachable } from './s3-errors.ts'
import { fromHead, joinedEtag, toHeaders } from './s3-objects.ts'
import { watched } from './watched-body.ts'

type NamedPart = Pick<StoredPart, 'number' | 'etag'>

/** What is said to `complete` of an upload that has ended; Ceph 16 says that something in itself went wrong. */
const mayBeOver = [
  'PLIMSOLL_UPLOAD_NOT_FOUND',
  'PLIMSOLL_FILE_EXISTS',
  'PLIMSOLL_STORAGE_UNREACHABLE',
  'PLIMSOLL_FILE_CORRUPT',
]

/** How long somebody else's completion of the same upload is waited for: some 20 s at most. */
const underWay = { firstMs: 50, mostMs: 2000 }
const mostAttempts = 15

/** Uploads as the service's own. */
export class S3Uploads implements MultipartUploads {
  readonly #s3: S3Client
  readonly #conditions: S3Conditions
  readonly #checksums: S3Checksums
  readonly #features: FileStoreFeatures

  constructor(
    s3: S3Client,
    parts: { readonly conditions: S3Conditions; readonly checksums: S3Checksums; readonly features: FileStoreFeatures },
  ) {
    this.#s3 = s3
    this.#conditions = parts.conditions
    this.#checksums = parts.checksums
    this.#features = parts.features
  }

  async create(key: string, options: CreateUploadOptions = {}): Promise<string> {
    const headers = toHeaders(checkPut(key, options))
    const checked = options.withCrc32c === true && (await this.#checksums.keepsCrc32c()) === 'all'
    const command = new this.#s3.sdk.CreateMultipartUploadCommand({
      ...this.#s3.at(key),
      ...headers,
      ...(checked && uploadWithCrc32c),
    })
    return (await this.#s3.send(command, { key })).UploadId ?? ''
  }

  async putPart(upload: UploadRef, number: number, body: FileBody, options: PartOptions): Promise<StoredPart> {
    try {
      const at = this.#at(upload)
      checkPart(number, { offset: options.offset, mostParts: this.#features.maxParts })
      const announced = { key: upload.key, ...options, mostBytes: this.#features.maxPartBytes }
      checkAnnounced(announced)
      const { size } = options
      const input = { ...at, PartNumber: number, ContentLength: size }
      const etag =
        size <= mostHeld
          ? await this.#putHeld(input, bytesOf(body, announced), upload, options)
          : await this.#putStream(input, bytesOf(body, announced), upload, options)
      return { number, size, etag }
    } catch (error) {
      endBody(body)
      throw error
    }
  }

  async parts(upload: UploadRef): Promise<readonly StoredPart[]> {
    const at = this.#at(upload)
    const found: StoredPart[] = []
    let PartNumberMarker: string | undefined
    do {
      const command = new this.#s3.sdk.ListPartsCommand({ ...at, PartNumberMarker })
      const page = await this.#s3.send(command, this.#call(upload))
      for (const { PartNumber = 0, Size = 0, ETag = '' } of page.Parts ?? []) {
        found.push({ number: PartNumber, size: Size, etag: ETag })
      }
      PartNumberMarker = page.IsTruncated === true ? page.NextPartNumberMarker : undefined
    } while (PartNumberMarker !== undefined)
    return found.sort((a, b) => a.number - b.number)
  }

  async complete(
    upload: UploadRef,
    parts: readonly NamedPart[],
    { ifAbsent }: { readonly ifAbsent?: boolean | undefined } = {},
  ): Promise<WrittenObject> {
    const at = this.#at(upload)
    const { key } = upload
    const Parts = inOrder(parts).map(({ number, etag }) => ({ PartNumber: number, ETag: etag }))
    if (Parts.length === 0) throw fileCorrupt(key, 'there are no parts')
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#conditions.run({ key, call: 'complete', conditions: { ifAbsent } }, async (headers) => {
          const command = new this.#s3.sdk.CompleteMultipartUploadCommand({
            ...at,
            ...headers,
            MultipartUpload: { Parts },
          })
          await this.#s3.send(command, { ...this.#call(upload), ifAbsent, once: true })
          return this.#made(upload)
        })
      } catch (error) {
        if (!isPlimsollError(error) || !mayBeOver.includes(error.code)) throw error
        // A second time, or one that was answered into the void: the upload has gone, and its object is there.
        if (!(await this.#isOpen(upload))) {
          const made = await this.#findMade(upload, parts)
          if (made === undefined) throw uploadNotFound(upload)
          return made
        }
        // Ceph does not let two wait for one completion.
        if (!/already in progress/.test(error.message) || attempt === mostAttempts) throw error
        await wait(backoffMs(attempt, underWay))
      }
    }
  }

  async abort(upload: UploadRef): Promise<void> {
    checkKey(upload.key)
    this.#s3.checkOpen()
    if (!isId(upload.id)) return
    const command = new this.#s3.sdk.AbortMultipartUploadCommand(this.#at(upload))
    await this.#s3.send(command, this.#call(upload)).catch((error: unknown) => {
      if (!isPlimsollError(error, 'PLIMSOLL_UPLOAD_NOT_FOUND') && !isPlimsollError(error, 'PLIMSOLL_FILE_NOT_FOUND'))
        throw error
    })
  }

  async *list(prefix: string): AsyncGenerator<UploadRef & { readonly createdAt: number }> {
    checkPrefix(prefix)
    const found: (UploadRef & { readonly createdAt: number })[] = []
    let markers: Pick<ListMultipartUploadsCommandInput, 'KeyMarker' | 'UploadIdMarker'> = {}
    for (let more = true; more;) {
      const command = new this.#s3.sdk.ListMultipartUploadsCommand({
        Bucket: this.#s3.bucket,
        Prefix: this.#s3.keyOf(prefix),
        ...markers,
      })
      const page: ListMultipartUploadsCommandOutput = await this.#s3.send(command)
      for (const { Key = '', UploadId = '', Initiated } of page.Uploads ?? []) {
        const key = Key.slice(this.#s3.prefix.length)
        if (!key.startsWith(ownFolder)) found.push({ key, id: UploadId, createdAt: Initiated?.getTime() ?? 0 })
      }
      markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
      more = page.IsTruncated === true
    }
    // The service has them by their keys.
    yield* found.sort((a, b) => a.createdAt - b.createdAt)
  }

  async #putHeld(
    input: PartInput,
    bytes: AsyncIterable<Buffer>,
    upload: UploadRef,
    { size, signal }: PartOptions,
  ): Promise<string> {
    const command = new this.#s3.sdk.UploadPartCommand({ ...input, Body: await gathered(bytes) })
    return (await this.#s3.send(command, { ...this.#call(upload), signal, bytes: size })).ETag ?? ''
  }

  async #putStream(
    input: PartInput,
    bytes: AsyncIterable<Buffer>,
    upload: UploadRef,
    { size, signal: given }: PartOptions,
  ): Promise<string> {
    const failed = new AbortController()
    const signal = given === undefined ? failed.signal : AbortSignal.any([given, failed.signal])
    const late = (): void => failed.abort(unreachable(this.#s3.name, `It took no bytes for ${this.#s3.timeoutMs} ms.`))
    const Body = Readable.from(watched(bytes, { idleMs: this.#s3.timeoutMs, late }))
    // The SDK does not look at errors of a body, and would wait for ever.
    Body.on('error', (error) => failed.abort(error))
    const command = new this.#s3.sdk.UploadPartCommand({ ...input, Body })
    return (await this.#s3.send(command, { ...this.#call(upload), signal, bytes: size })).ETag ?? ''
  }

  async #made({ key }: UploadRef): Promise<WrittenObject> {
    const head = (): HeadObjectCommand => new this.#s3.sdk.HeadObjectCommand(this.#s3.at(key))
    return asWritten(fromHead(key, await this.#checksums.ask(head, { key })))
  }

  /** The object, if it is the one of these parts: its ETag is made of theirs. */
  async #findMade(upload: UploadRef, parts: readonly NamedPart[]): Promise<WrittenObject | undefined> {
    const made = await this.#made(upload).catch((error: unknown) => {
      if (!isPlimsollError(error, 'PLIMSOLL_FILE_NOT_FOUND')) throw error
    })
    return made?.etag === joinedEtag(inOrder(parts).map(({ etag }) => etag)) ? made : undefined
  }

  async #isOpen(upload: UploadRef): Promise<boolean> {
    try {
      await this.parts(upload)
      return true
    } catch (error) {
      if (isPlimsollError(error, 'PLIMSOLL_UPLOAD_NOT_FOUND')) return false
      throw error
    }
  }

  #at(upload: UploadRef): { readonly Bucket: string; readonly Key: string; readonly UploadId: string } {
    checkKey(upload.key)
    this.#s3.checkOpen()
    if (!isId(upload.id)) throw uploadNotFound(upload)
    return { ...this.#s3.at(upload.key), UploadId: upload.id }
  }

  #call({ key, id }: UploadRef): { readonly key: string; readonly uploadId: string } {
    return { key, uploadId: id }
  }
}

type PartInput = {
  readonly Bucket: string
  readonly Key: string
  readonly UploadId: string
  readonly PartNumber: number
  readonly ContentLength: number
}

function inOrder(parts: readonly NamedPart[]): readonly NamedPart[] {
  return parts.toSorted((a, b) => a.number - b.number)
}

function isId(id: string): boolean {
  return typeof id === 'string' && /^[\x21-\x7e]{1,1024}$/.test(id)
}
