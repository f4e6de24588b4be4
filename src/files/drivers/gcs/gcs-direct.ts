import type { Duration } from '../../../core/duration.ts'
import { PlimsollError } from '../../../core/errors.ts'
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
import type { GcsClient } from './gcs-client.ts'
import { toStorageError } from './gcs-errors.ts'
import { isGenerationTag, toHash } from './gcs-objects.ts'
import { nameOf, parseId } from './gcs-uploads.ts'

/** What is signed of a request. */
interface Signing {
  readonly name: string
  readonly action: 'read' | 'write'
  readonly expires: Duration
  readonly type?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly query?: Readonly<Record<string, string>> | undefined
}

/** Addresses with a signature of version 4, made with the key of a service account, or by the service that signs for one. */
export class GcsDirect implements DirectAccess {
  readonly keepsCacheControl = true
  /** Google's own tags are MD5 sums, where an object has one. */
  readonly isForeignTag = isGenerationTag
  readonly #gcs: GcsClient
  readonly #features: FileStoreFeatures

  constructor(gcs: GcsClient, { features }: { readonly features: FileStoreFeatures }) {
    this.#gcs = gcs
    this.#features = features
  }

  async signGet(key: string, options: SignGetOptions): Promise<string> {
    checkKey(key)
    const { disposition, type, cacheControl } = options
    for (const [name, value] of Object.entries({ disposition, type })) checkHeader(name, value)
    if (cacheControl !== undefined) throw this.#unsupported('cacheControl', 'store the file with it')
    const query = {
      ...(disposition !== undefined && { 'response-content-disposition': disposition }),
      ...(type !== undefined && { 'response-content-type': type }),
    }
    return this.#sign({ name: this.#gcs.nameOf(key), action: 'read', expires: options.expires, query })
  }

  async signPut(key: string, options: SignPutOptions): Promise<SignedRequest> {
    checkKey(key)
    const { once = true } = options
    const size = bytesOf(options.size, 'size')
    const { type } = checkFacts({ type: options.type })
    const headers = {
      'x-goog-content-length-range': `${size},${size}`,
      ...(once && { 'x-goog-if-generation-match': '0' }),
      ...this.#checked(key, { ...options, size }, 'check what was stored'),
    }
    const name = this.#gcs.nameOf(key)
    const url = await this.#sign({ name, action: 'write', expires: options.expires, type, headers })
    return { method: 'PUT', url, headers: { 'content-type': type, ...headers } }
  }

  async signPost(key: string, options: SignPostOptions): Promise<SignedForm> {
    checkFormKey(key)
    const { type } = checkFacts({ type: options.type })
    const { minBytes, maxBytes } = checkSizes(options)
    const seconds = secondsOf(options.expires)
    this.#gcs.checkOpen()
    try {
      const file = this.#gcs.storage.bucket(this.#gcs.bucket).file(this.#gcs.nameOf(key))
      const [{ fields }] = await file.generateSignedPostPolicyV4({
        expires: Date.now() + seconds * 1000,
        conditions: [['content-length-range', minBytes, maxBytes]],
        fields: { 'Content-Type': type },
      })
      return { url: `${this.#gcs.endpoint}/${this.#gcs.bucket}/`, fields }
    } catch (error) {
      throw toStorageError(error, this.#gcs.name)
    }
  }

  async signPart(upload: UploadRef, number: number, options: SignPartOptions): Promise<SignedRequest> {
    const { key } = upload
    checkKey(key)
    const id = parseId(upload)
    if (id === undefined) throw uploadNotFound(upload)
    checkPart(number, { offset: options.offset, mostParts: this.#features.maxParts })
    const { expires } = options
    const size = bytesOf(options.size, 'size')
    const headers = this.#checked(key, { ...options, size }, 'check the parts')
    const url = await this.#sign({
      name: nameOf(this.#gcs, key, id.token),
      action: 'write',
      expires,
      // Every client sends it by itself.
      headers: { ...headers, 'content-length': String(size) },
      query: { partNumber: String(number), uploadId: id.uploadId },
    })
    return { method: 'PUT', url, headers }
  }

  async checksumsOfPuts(): Promise<readonly (keyof Checksums)[]> {
    return ['crc32c']
  }

  async checksumsOfParts(): Promise<readonly (keyof Checksums)[]> {
    return ['crc32c']
  }

  /** The headers that bind the bytes of a request to what was announced of them. */
  #checked(key: string, options: Checksums & { readonly size: number }, instead: string): Record<string, string> {
    const { size } = options
    const sums = checkAnnounced({ ...options, key, size, mostBytes: this.#features.maxPartBytes })
    if (sums.sha256 !== undefined) throw this.#unsupported('sha256', `give crc32c, or leave it out and ${instead}`)
    return toHash(sums)
  }

  async #sign({ name, action, expires, type, headers = {}, query = {} }: Signing): Promise<string> {
    this.#gcs.checkOpen()
    const seconds = secondsOf(expires)
    const now = Math.floor(Date.now() / 1000) * 1000
    try {
      const file = this.#gcs.storage.bucket(this.#gcs.bucket).file(name)
      const [url] = await file.getSignedUrl({
        version: 'v4',
        action,
        accessibleAt: now,
        expires: now + seconds * 1000,
        contentType: type,
        extensionHeaders: { ...headers },
        queryParams: { ...query },
      })
      return url
    } catch (error) {
      throw toStorageError(error, this.#gcs.name)
    }
  }

  #unsupported(feature: string, fix: string): PlimsollError {
    return new PlimsollError(
      'PLIMSOLL_FEATURE_UNSUPPORTED',
      `A signed address of Google Cloud Storage cannot bind ${feature}; ${fix}.`,
      { details: { feature, engine: 'gcs' } },
    )
  }
}
