import type * as PresignedPost from '@aws-sdk/s3-presigned-post'
import type * as RequestPresigner from '@aws-sdk/s3-request-presigner'
import type { Duration } from '../../../core/duration.ts'
import { importPeer } from '../../../core/peer.ts'
import { checkPart } from '../../check-options.ts'
import type {
  Checksums,
  DirectAccess,
  FileStoreFeatures,
  SignedForm,
  SignedRequest,
  SignGetOptions,
  SignPartOptions,
  SignPostOptions,
  SignPutOptions,
  UploadRef,
} from '../../contract.ts'
import { checkAnnounced } from '../../file-body.ts'
import { uploadNotFound } from '../../file-errors.ts'
import { checkFacts, checkHeader } from '../../object-facts.ts'
import { checkKey } from '../../object-key.ts'
import { bytesOf, checkFormKey, checkSizes, secondsOf } from '../../sign-options.ts'
import { presignPayload } from './presign-payload.ts'
import type { ChecksumHeader, S3Checksums } from './s3-checksums.ts'
import type { S3Client } from './s3-client.ts'
import type { S3Conditions } from './s3-conditions.ts'

// Without this the SDK signs none of them, and a client could send what it likes.
const signedOfParts = ['host', 'content-length', 'x-amz-checksum-sha256', 'x-amz-checksum-crc32c']
const signedOfPuts = [...signedOfParts, 'content-type', 'if-none-match']

/** Presigned addresses by signature version 4. */
export class S3Direct implements DirectAccess {
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

  async signGet(key: string, options: SignGetOptions): Promise<string> {
    checkKey(key)
    const { disposition, type, cacheControl } = options
    for (const [name, value] of Object.entries({ disposition, type, cacheControl })) checkHeader(name, value)
    const command = new this.#s3.sdk.GetObjectCommand({
      ...this.#s3.at(key),
      ResponseContentDisposition: disposition,
      ResponseContentType: type,
      ResponseCacheControl: cacheControl,
    })
    return this.#sign(command, options.expires, ['host'])
  }

  async signPut(key: string, options: SignPutOptions): Promise<SignedRequest> {
    checkKey(key)
    const { expires, once = true } = options
    const size = bytesOf(options.size, 'size')
    const { type } = checkFacts({ type: options.type })
    const sums = checkAnnounced({ ...options, key, size, mostBytes: this.#features.maxPartBytes })
    if (once) await this.#conditions.checked()
    const command = new this.#s3.sdk.PutObjectCommand({
      ...this.#s3.at(key),
      ContentLength: size,
      ContentType: type,
      ...(once && { IfNoneMatch: '*' }),
    })
    const headers = { 'content-type': type, ...(once && { 'if-none-match': '*' }) }
    const header = await this.#checksums.headerOf(sums)
    return this.#signBytes(command, { headers, signed: signedOfPuts, size, header, expires })
  }

  async signPost(key: string, options: SignPostOptions): Promise<SignedForm> {
    checkFormKey(key)
    const { type } = checkFacts({ type: options.type })
    const { minBytes, maxBytes } = checkSizes(options)
    this.#s3.checkOpen()
    const { createPresignedPost } = await importPeer<typeof PresignedPost>(
      '@aws-sdk/s3-presigned-post',
      'Signing forms for S3',
    )
    try {
      return await createPresignedPost(this.#s3.client, {
        ...this.#s3.at(key),
        Expires: secondsOf(options.expires),
        Fields: { 'Content-Type': type },
        Conditions: [['content-length-range', minBytes, maxBytes]],
      })
    } catch (error) {
      throw this.#s3.toError(error)
    }
  }

  async signPart(upload: UploadRef, number: number, options: SignPartOptions): Promise<SignedRequest> {
    const { key, id } = upload
    checkKey(key)
    if (id === '') throw uploadNotFound(upload)
    checkPart(number, { offset: options.offset, mostParts: this.#features.maxParts })
    const size = bytesOf(options.size, 'size')
    const sums = checkAnnounced({ ...options, key, size, mostBytes: this.#features.maxPartBytes })
    const command = new this.#s3.sdk.UploadPartCommand({
      ...this.#s3.at(key),
      UploadId: id,
      PartNumber: number,
      ContentLength: size,
    })
    const header = await this.#checksums.headerOfPart(sums)
    return this.#signBytes(command, { headers: {}, signed: signedOfParts, size, header, expires: options.expires })
  }

  checksumsOfPuts(): Promise<readonly (keyof Checksums)[]> {
    return this.#checksums.ofPuts()
  }

  checksumsOfParts(): Promise<readonly (keyof Checksums)[]> {
    return this.#checksums.ofParts()
  }

  /** Signs a request for bytes, with their checksum as the service takes it. */
  async #signBytes(
    command: { readonly input: { ChecksumSHA256?: string | undefined; ChecksumCRC32C?: string | undefined } },
    parts: {
      readonly headers: Readonly<Record<string, string>>
      readonly signed: readonly string[]
      readonly size: number
      readonly header: ChecksumHeader | undefined
      readonly expires: Duration
    },
  ): Promise<SignedRequest> {
    const { signed, size, header, expires } = parts
    if (header?.member !== undefined) command.input[header.member] = header.value
    const headers = { ...parts.headers, ...(header && { [header.name]: header.value }) }
    const url = await this.#sign(command, expires, signed)
    if (header === undefined || header.member !== undefined) return { method: 'PUT', url, headers }
    const { config } = this.#s3.client
    const payload = presignPayload(url, {
      headers: { ...parts.headers, 'content-length': String(size) },
      sha256: header.value,
      seconds: secondsOf(expires),
      key: { ...(await config.credentials()), region: await config.region() },
    })
    return { method: 'PUT', url: payload, headers }
  }

  async #sign(command: object, expires: Duration, signed: readonly string[]): Promise<string> {
    this.#s3.checkOpen()
    const expiresIn = secondsOf(expires)
    const { getSignedUrl } = await importPeer<typeof RequestPresigner>(
      '@aws-sdk/s3-request-presigner',
      'Signing addresses of S3',
    )
    const headers = new Set(signed)
    try {
      return await getSignedUrl(this.#s3.client as never, command as never, {
        expiresIn,
        signableHeaders: headers,
        unhoistableHeaders: headers,
      })
    } catch (error) {
      throw this.#s3.toError(error)
    }
  }
}
