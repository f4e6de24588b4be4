import { createHash } from 'node:crypto'
import { backoffMs } from '../../../core/backoff.ts'
import { doneOnce } from '../../../core/done-once.ts'
import { PlimsollError } from '../../../core/errors.ts'
import { randomToken } from '../../../core/random-token.ts'
import type { PutOptions } from '../../contract.ts'
import { fileChanged, fileExists } from '../../file-errors.ts'
import { ownFolder } from '../../object-key.ts'
import { datedBy, type S3Client } from './s3-client.ts'
import { isMissing, statusOf, type S3Call } from './s3-errors.ts'

/** What has to hold for a write. */
export type Conditions = Pick<PutOptions, 'ifAbsent' | 'ifMatch' | 'signal'>

/** How a write says so to the service. */
export interface ConditionHeaders {
  readonly IfNoneMatch?: '*'
  readonly IfMatch?: string
}

/** The calls that a condition can be asked of. */
export type ConditionalCall = 'put' | 'complete' | 'copy'

/** What a service does with conditions. */
interface Support {
  /** All calls keep them, or those alone that put a whole object, or it ignores them. */
  readonly by: 'all' | 'puts' | 'none'
  /** It takes ETags in If-Match without their quotes alone, as Ceph 16 does. */
  readonly bare: boolean
}

const lockMs = 30_000
const safeMs = 20_000
const poll = { firstMs: 5, mostMs: 200 }

/**
 * Keeps the conditions of writes. Amazon's S3 does so itself, for every call. Other services may ignore a condition, in silence: which do is found
 * out once, on an object of our own. Where puts alone keep them (Ceph), copies and uploads take a lock, which is such a put, look, and
 * write; so do puts, so that they do not come between.
 */
export class S3Conditions {
  readonly #s3: S3Client
  readonly #support = doneOnce(() => this.#probe())

  constructor(s3: S3Client) {
    this.#s3 = s3
  }

  /**
   * Runs a write under its conditions.
   *
   * @throws PLIMSOLL_FEATURE_UNSUPPORTED where the service keeps none
   */
  async run<T>(
    {
      key,
      call,
      conditions,
    }: { readonly key: string; readonly call: ConditionalCall; readonly conditions: Conditions },
    work: (headers: ConditionHeaders) => Promise<T>,
  ): Promise<T> {
    if (conditions.ifAbsent !== true && conditions.ifMatch === undefined) return work({})
    const { by, bare } = await this.checked()
    const headers = headersOf(conditions, bare)
    if (by === 'all') return work(headers)
    return this.#locked(key, async () => {
      if (call === 'put') return work(headers)
      await this.check(key, conditions)
      return work({})
    })
  }

  /** What the service does with conditions. @throws PLIMSOLL_FEATURE_UNSUPPORTED where it keeps none */
  async checked(): Promise<Support> {
    const support = await this.#support()
    if (support.by !== 'none') return support
    const { name } = this.#s3
    throw new PlimsollError(
      'PLIMSOLL_FEATURE_UNSUPPORTED',
      `${name} ignores If-None-Match: it cannot store only where nothing is (ifAbsent, ifMatch, once). Leave these options out, or use another service.`,
      { details: { storage: name, feature: 'conditional writes' } },
    )
  }

  /** Refuses what cannot be done by what is there now. */
  async check(key: string, { ifAbsent, ifMatch, signal }: Conditions): Promise<void> {
    if (ifAbsent !== true && ifMatch === undefined) return
    const { sdk } = this.#s3
    const head = await this.#s3.send(new sdk.HeadObjectCommand(this.#s3.at(key)), { signal }).catch(absent)
    if (ifAbsent === true && head !== undefined) throw fileExists(key)
    if (ifMatch !== undefined && head?.ETag !== ifMatch) throw fileChanged(key, ifMatch)
  }

  /** Stores an object where one is, asking that none be: by a put, by an upload and by a copy. */
  async #probe(): Promise<Support> {
    if (await this.#s3.isAmazon()) return { by: 'all', bare: false }
    const key = `${ownFolder}probe-${randomToken()}`
    const at = { Bucket: this.#s3.bucket, Key: `${this.#s3.prefix}${key}` }
    const { sdk } = this.#s3
    const { ETag } = await this.#s3.send(new sdk.PutObjectCommand({ ...at, Body: 'probe' }))
    try {
      const exists = { key, ifAbsent: true }
      const put = new sdk.PutObjectCommand({ ...at, Body: 'other', IfNoneMatch: '*' })
      const wrong = new sdk.PutObjectCommand({ ...at, Body: 'other', IfMatch: '"0123456789abcdef0123456789abcdef"' })
      if (await this.#isDone(() => this.#s3.send(put, exists))) return { by: 'none', bare: false }
      if (await this.#isDone(() => this.#s3.send(wrong, exists))) return { by: 'none', bare: false }
      const right = new sdk.PutObjectCommand({ ...at, Body: 'probe', IfMatch: ETag })
      const bare = !(await this.#isDone(() => this.#s3.send(right, exists)))
      const CopySource = `${at.Bucket}/${at.Key}`
      const copy = new sdk.CopyObjectCommand({ ...at, CopySource, IfNoneMatch: '*', MetadataDirective: 'REPLACE' })
      if (await this.#isDone(() => this.#s3.send(copy, exists))) return { by: 'puts', bare }
      return { by: (await this.#completes(at, exists)) ? 'puts' : 'all', bare }
    } finally {
      await this.#s3.send(new sdk.DeleteObjectCommand(at)).catch(() => {})
    }
  }

  async #completes(at: { readonly Bucket: string; readonly Key: string }, exists: S3Call): Promise<boolean> {
    const { sdk } = this.#s3
    const { UploadId } = await this.#s3.send(new sdk.CreateMultipartUploadCommand(at))
    const { ETag } = await this.#s3.send(new sdk.UploadPartCommand({ ...at, UploadId, PartNumber: 1, Body: 'part' }))
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
    const complete = new sdk.CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload, IfNoneMatch: '*' })
    const done = await this.#isDone(() => this.#s3.send(complete, { ...exists, once: true }))
    if (!done) await this.#s3.send(new sdk.AbortMultipartUploadCommand({ ...at, UploadId })).catch(() => {})
    return done
  }

  /** False when the service refused it, as it should, also when it says that it does not know such calls. */
  async #isDone(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      const { code } = error as PlimsollError
      if (code === 'PLIMSOLL_FILE_EXISTS') return false
      if (code === 'PLIMSOLL_FEATURE_UNSUPPORTED') return true
      throw error
    }
  }

  async #locked<T>(key: string, work: () => Promise<T>): Promise<T> {
    const name = createHash('sha256').update(key).digest('hex').slice(0, 40)
    const at = { Bucket: this.#s3.bucket, Key: `${this.#s3.prefix}${ownFolder}locks/${name}` }
    const { sdk } = this.#s3
    await this.#take(at)
    const taken = performance.now()
    try {
      return await work()
    } finally {
      // One that has grown old may be somebody else's by now.
      if (performance.now() - taken < safeMs) await this.#s3.send(new sdk.DeleteObjectCommand(at)).catch(() => {})
    }
  }

  /** Takes a lock. One that is old was left by a process that has ended: it is replaced, by one of those who wait. */
  async #take(at: { readonly Bucket: string; readonly Key: string }): Promise<void> {
    const { sdk } = this.#s3
    const Body = randomToken()
    const { bare } = await this.checked()
    const put = (conditions: Conditions): Promise<boolean> => {
      const command = new sdk.PutObjectCommand({ ...at, Body, ...headersOf(conditions, bare) })
      return this.#s3.send(command, { once: true }).then(() => true, refused)
    }
    for (let attempt = 1; ; attempt++) {
      if (await put({ ifAbsent: true })) return
      const head = new sdk.HeadObjectCommand(at)
      const now = datedBy(head)
      const held = await this.#s3.send(head).catch(absent)
      // Both by the clock of the service.
      const isOld = held !== undefined && now() - (held.LastModified?.getTime() ?? 0) > lockMs
      if (isOld && (await put({ ifMatch: held.ETag }))) return
      await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, poll)))
    }
  }
}

function headersOf({ ifAbsent, ifMatch = '' }: Conditions, bare: boolean): ConditionHeaders {
  if (ifAbsent === true) return { IfNoneMatch: '*' }
  return { IfMatch: bare ? unquoted(ifMatch) : ifMatch }
}

function unquoted(etag: string): string {
  return etag.replaceAll('"', '')
}

function absent(error: unknown): undefined {
  if (isMissing((error as Error).cause) || (error as PlimsollError).code === 'PLIMSOLL_FILE_NOT_FOUND') return undefined
  throw error
}

function refused(error: unknown): false {
  if ([404, 409, 412].includes(statusOf((error as Error).cause) ?? 0)) return false
  if ((error as PlimsollError).code === 'PLIMSOLL_FILE_NOT_FOUND') return false
  throw error
}
