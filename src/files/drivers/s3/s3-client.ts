import type * as Sdk from '@aws-sdk/client-s3'
import { importPeer } from '../../../core/peer.ts'
import { answeredWithin } from '../../answered-within.ts'
import { defaultTimeoutMs, readPrefix } from '../../bucket-url.ts'
import { storageClosed } from '../../file-errors.ts'
import { parseS3Url } from './parse-s3-url.ts'
import { codeOf, toStorageError, type S3Call } from './s3-errors.ts'

/** Where the bucket is: a URL, or a client of the SDK, which is left alone and not closed, and a bucket. */
export type S3Source =
  | {
      /**
       * `s3://bucket?region=eu-north-1`. Before the bucket, `key:secret@`; else the SDK finds the credentials as it does. In the query:
       * `endpoint` and `pathStyle=true` for services other than Amazon's, `prefix` for what all keys begin with, and `timeout`, how long one
       * call may take beside the time for its bytes (default `30s`).
       */
      readonly url: string
    }
  | { readonly client: Sdk.S3Client; readonly bucket: string; readonly prefix?: string | undefined }

/** How one call is made. */
export interface CallOptions extends S3Call {
  readonly signal?: AbortSignal | undefined
  /** How many bytes it sends: it may take longer. Default 0. */
  readonly bytes?: number | undefined
  /** Is not sent again by itself, since a second time it would be another call. Default false. */
  readonly once?: boolean | undefined
}

const mostSockets = 256
const conflicts = ['ConditionalRequestConflict', 'OperationAborted']
const mostConflicts = 8

/** A command of the SDK, by what it resolves to. */
export type Command<O extends Sdk.ServiceOutputTypes> = Sdk.$Command<any, O, any>

/** A bucket, and a client that asks it within bounds of time, and whose errors are those of files. */
export class S3Client {
  readonly sdk: typeof Sdk
  /** Signs addresses, too. */
  readonly client: Sdk.S3Client
  readonly bucket: string
  readonly prefix: string
  /** For messages; without secrets. */
  readonly name: string
  readonly timeoutMs: number
  readonly #once: Sdk.S3Client
  readonly #isOurs: boolean
  #closed = false

  private constructor(
    sdk: typeof Sdk,
    client: Sdk.S3Client,
    parts: Pick<S3Client, 'bucket' | 'prefix' | 'name' | 'timeoutMs'> & { readonly isOurs: boolean },
  ) {
    this.sdk = sdk
    this.client = client
    this.bucket = parts.bucket
    this.prefix = parts.prefix
    this.name = parts.name
    this.timeoutMs = parts.timeoutMs
    this.#isOurs = parts.isOurs
    this.#once = new sdk.S3Client({ ...client.config, maxAttempts: 1, retryStrategy: undefined } as object)
  }

  /** @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_PEER_MISSING */
  static async open(source: S3Source): Promise<S3Client> {
    const sdk = await importPeer<typeof Sdk>('@aws-sdk/client-s3', 'Keeping files in S3')
    if ('client' in source) {
      const { client, bucket, prefix = '' } = source
      const name = `s3://${bucket}`
      const parts = { bucket, prefix: readPrefix(prefix, name), name, timeoutMs: defaultTimeoutMs }
      return new S3Client(sdk, client, { ...parts, isOurs: false })
    }
    const { region, endpoint, pathStyle, credentials, ...parts } = parseS3Url(source.url)
    const agent = { keepAlive: true, maxSockets: mostSockets }
    const client = new sdk.S3Client({
      region,
      endpoint,
      forcePathStyle: pathStyle,
      ...(credentials && { credentials }),
      // What the SDK adds to every call by itself, other services refuse, and presigned addresses cannot use.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      maxAttempts: 3,
      // A reader may take their time: how long a socket is idle says nothing. Calls are timed here.
      requestHandler: { connectionTimeout: 5000, socketTimeout: 0, httpAgent: agent, httpsAgent: agent },
    })
    return new S3Client(sdk, client, { ...parts, isOurs: true })
  }

  /** The key in the bucket. */
  keyOf(key: string): string {
    return `${this.prefix}${key}`
  }

  /** Where an object is: what most calls say. */
  at(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.bucket, Key: this.keyOf(key) }
  }

  /**
   * Asks the bucket.
   *
   * @throws the errors of files; the reason of the signal
   */
  async send<O extends Sdk.ServiceOutputTypes>(command: Command<O>, options: CallOptions = {}): Promise<O> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#sendOnce(command, options)
      } catch (error) {
        // Two at the same time: neither was done.
        if (!conflicts.includes(codeOf(error)) || attempt === mostConflicts) throw this.toError(error, options)
        await new Promise((resolve) => setTimeout(resolve, 20 * 2 ** attempt * Math.random()))
      }
    }
  }

  /**
   * True for Amazon's own service, which does all that the SDK knows. The address may come from a URL, a client, the environment or a file, so
   * the SDK is asked which one it would call; it calls nobody.
   */
  async isAmazon(): Promise<boolean> {
    const command = new this.sdk.HeadBucketCommand({ Bucket: this.bucket })
    let host = ''
    command.middlewareStack.add(
      () => async (args) => {
        host = (args.request as { hostname?: string }).hostname ?? ''
        return { response: {}, output: { $metadata: {} } }
      },
      { step: 'build', priority: 'low', name: 'plimsollHost' },
    )
    await this.send(command)
    return /(?:^|\.)amazonaws\.com(?:\.cn)?$/.test(host)
  }

  /** What an error of a call means. */
  toError(error: unknown, call: S3Call = {}): unknown {
    return toStorageError(error, this.name, call)
  }

  /** @throws PLIMSOLL_STORAGE_CLOSED */
  checkOpen(): void {
    if (this.#closed) throw storageClosed()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#isOurs) this.client.destroy()
  }

  async #sendOnce<O extends Sdk.ServiceOutputTypes>(command: Command<O>, options: CallOptions): Promise<O> {
    this.checkOpen()
    const { signal, bytes = 0, once = false } = options
    signal?.throwIfAborted()
    const client = once ? this.#once : this.client
    const { name, timeoutMs } = this
    return answeredWithin({ name, timeoutMs, bytes, signal }, (abortSignal) =>
      (client.send as (command: unknown, options: object) => Promise<O>)(command, { abortSignal }),
    )
  }
}

/** Has the date of the answer to a command, epoch milliseconds in whole seconds, put into what is returned. */
export function datedBy(command: {
  readonly middlewareStack: { add(middleware: any, options: any): void }
}): () => number {
  let date = Number.NaN
  command.middlewareStack.add(
    (next: (args: unknown) => Promise<{ response: { headers?: Record<string, string> } }>) => async (args: unknown) => {
      const result = await next(args)
      date = Date.parse(result.response.headers?.['date'] ?? '')
      return result
    },
    { step: 'deserialize', priority: 'low', name: 'plimsollDate' },
  )
  return () => Math.floor((Number.isNaN(date) ? Date.now() : date) / 1000) * 1000
}
