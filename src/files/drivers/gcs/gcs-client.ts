import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import type * as Sdk from '@google-cloud/storage'
import { isPlimsollError, showValue } from '../../../core/errors.ts'
import { importPeer } from '../../../core/peer.ts'
import { answeredWithin } from '../../answered-within.ts'
import { defaultTimeoutMs, invalidUrl, readPrefix } from '../../bucket-url.ts'
import { storageClosed } from '../../file-errors.ts'
import { orAborted } from '../../file-body.ts'
import { answerError, toStorageError, type GcsSubject } from './gcs-errors.ts'
import { HttpCaller, textOf, type HttpCall } from './http-call.ts'
import { parseGcsUrl } from './parse-gcs-url.ts'

/** Where the bucket is: a URL, or a client of the SDK and a bucket. */
export type GcsSource =
  | {
      /**
       * `gs://bucket`. In the query: `prefix` for what all keys begin with, `keyFile` for the key of a service account (else the SDK finds
       * the credentials as it does), `endpoint` for another address, which is asked without credentials, and `timeout`, how long one call may
       * take beside the time for its bytes (default `30s`).
       */
      readonly url: string
    }
  | { readonly client: Sdk.Storage; readonly bucket: string; readonly prefix?: string | undefined }

/** One call, with what it is about. */
export interface GcsCall extends GcsSubject {
  readonly method: HttpCall['method']
  /** From the root of the service, encoded. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | undefined>> | undefined
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined
  readonly body?: HttpCall['body']
  /** How many bytes the body has, where it is a stream, or how many the service reads: it may take longer. Default 0. */
  readonly bytes?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** May be sent again by itself: a second time changes nothing. Default: what reads. */
  readonly again?: boolean | undefined
  /** Answers that are none of 2xx and no errors. */
  readonly accepts?: readonly number[] | undefined
}

const attempts = 3
const firstDelayMs = 100

/**
 * A bucket, asked by plain HTTP. The SDK finds the credentials, gets tokens and signs; its own calls cannot be given up, and go on trying for up to
 * ten minutes.
 */
export class GcsClient {
  readonly storage: Sdk.Storage
  readonly bucket: string
  readonly prefix: string
  /** For messages. */
  readonly name: string
  readonly endpoint: string
  readonly timeoutMs: number
  readonly #http = new HttpCaller()
  #closed = false

  private constructor(storage: Sdk.Storage, parts: Pick<GcsClient, 'bucket' | 'prefix' | 'name' | 'timeoutMs'>) {
    this.storage = storage
    this.bucket = parts.bucket
    this.prefix = parts.prefix
    this.name = parts.name
    this.timeoutMs = parts.timeoutMs
    this.endpoint = storage.apiEndpoint.replace(/\/$/, '')
  }

  /** @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_PEER_MISSING */
  static async open(source: GcsSource): Promise<GcsClient> {
    if ('client' in source) {
      const { client, bucket, prefix = '' } = source
      const name = `gs://${bucket}`
      return new GcsClient(client, { bucket, prefix: readPrefix(prefix, name), name, timeoutMs: defaultTimeoutMs })
    }
    const { endpoint, keyFile, ...parts } = parseGcsUrl(source.url)
    if (keyFile !== undefined) await checkKeyFile(keyFile, parts.name)
    const { Storage } = await importPeer<typeof Sdk>('@google-cloud/storage', 'Keeping files in Google Cloud Storage')
    const storage = new Storage({
      ...(endpoint !== undefined && { apiEndpoint: endpoint }),
      ...(keyFile !== undefined && { keyFilename: keyFile }),
    })
    return new GcsClient(storage, parts)
  }

  /** The name in the bucket. */
  nameOf(key: string): string {
    return `${this.prefix}${key}`
  }

  /** The path of an object in the JSON API. */
  object(name: string): string {
    return `/storage/v1/b/${this.bucket}/o/${encode(name)}`
  }

  /** The path of an object in the XML API. */
  plain(name: string): string {
    return `/${this.bucket}/${name.split('/').map(encode).join('/')}`
  }

  /** Asks the bucket; the answer is 2xx, or one that the call accepts. @throws the errors of files; the reason of the signal */
  send(call: GcsCall): Promise<IncomingMessage> {
    return this.#send(call, async (answer) => answer)
  }

  /** The same, with the answer read. */
  text(call: GcsCall): Promise<string> {
    return this.#send(call, textOf)
  }

  /** The same, with the answer read as JSON. */
  async json<T>(call: GcsCall): Promise<T> {
    return JSON.parse(await this.text(call)) as T
  }

  /** @throws PLIMSOLL_STORAGE_CLOSED */
  checkOpen(): void {
    if (this.#closed) throw storageClosed()
  }

  close(): void {
    this.#closed = true
    this.#http.close()
  }

  async #send<T>(call: GcsCall, read: (answer: IncomingMessage) => Promise<T>): Promise<T> {
    const { again = call.method === 'GET' } = call
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#sendOnce(call, read)
      } catch (error) {
        const known = toStorageError(error, this.name)
        const isPassingBy = isPlimsollError(known, 'PLIMSOLL_STORAGE_UNREACHABLE')
        if (!again || !isPassingBy || attempt === attempts || call.signal?.aborted) throw known
        await new Promise((resolve) => setTimeout(resolve, Math.random() * firstDelayMs * 2 ** attempt))
      }
    }
  }

  async #sendOnce<T>(call: GcsCall, read: (answer: IncomingMessage) => Promise<T>): Promise<T> {
    this.checkOpen()
    const { method, path, query = {}, body, signal: given, accepts = [] } = call
    const bytes = call.bytes ?? (Buffer.isBuffer(body) ? body.length : 0)
    const { name, timeoutMs } = this
    return answeredWithin({ name, timeoutMs, bytes, signal: given }, async (signal) => {
      const url = new URL(`${this.endpoint}${path}`)
      for (const [parameter, value] of Object.entries(query))
        if (value !== undefined) url.searchParams.set(parameter, value)
      const headers = { ...defined(call.headers ?? {}), ...(await orAborted(this.#authorization(), signal)) }
      const answer = await this.#http.send({ method, url, headers, body, signal })
      const status = answer.statusCode ?? 0
      if ((status >= 200 && status < 300) || accepts.includes(status)) return read(answer)
      throw answerError({ status, text: await textOf(answer), name }, call)
    })
  }

  /** Another address than Google's is asked without a token, as the SDK does, unless it was told to use one. */
  async #authorization(): Promise<Readonly<Record<string, string>>> {
    const { customEndpoint, useAuthWithCustomEndpoint } = this.storage as Sdk.Storage & {
      customEndpoint?: boolean
      useAuthWithCustomEndpoint?: boolean
    }
    if (customEndpoint && useAuthWithCustomEndpoint !== true) return {}
    const headers = new Headers(await this.storage.authClient.getRequestHeaders())
    return Object.fromEntries(headers)
  }
}

/** As RFC 3986 has it. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function defined(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

/** The SDK reads it when it is first asked, and takes what is wrong with it for a storage that is away. */
async function checkKeyFile(path: string, name: string): Promise<void> {
  try {
    JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const problem = code === undefined ? 'is no JSON' : `cannot be read (${code})`
    throw invalidUrl(name, `its keyFile is ${showValue(path)}, which ${problem}`)
  }
}
