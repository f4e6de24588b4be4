import { createHash } from 'node:crypto'
import { isPlimsollError } from '../../../core/errors.ts'
import { checkRange, rangeWithin } from '../../byte-range.ts'
import { checkListing, checkPut } from '../../check-options.ts'
import { hasChecksums } from '../../checksums.ts'
import type {
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
import { randomToken } from '../../../core/random-token.ts'
import { bytesOf, checkAnnounced, endBody } from '../../file-body.ts'
import { fileCorrupt, fileNotFound } from '../../file-errors.ts'
import { guardStream } from '../../guarded-stream.ts'
import { checkKey, ownFolder } from '../../object-key.ts'
import { asWritten, copiedFacts, type CheckedFacts } from '../../object-facts.ts'
import { PartReader } from '../../part-reader.ts'
import { GcsClient, type GcsSource } from './gcs-client.ts'
import { GcsDirect } from './gcs-direct.ts'
import { unreachable } from './gcs-errors.ts'
import { fromHeaders, fromResource, generationOf, toEtag, toResource, type GcsObject } from './gcs-objects.ts'
import { GcsUploads } from './gcs-uploads.ts'
import { chunkBytes, putResumable } from './resumable-put.ts'

const gigabyte = 1024 ** 3
const features: FileStoreFeatures = Object.freeze({
  maxBytes: 5 * 1024 * gigabyte,
  minPartBytes: 5 * 1024 ** 2,
  maxPartBytes: 5 * gigabyte,
  maxParts: 10_000,
  streamsParts: false,
})
const joinedAtOnce = 32
const atOnce = 16
const mostListed = 1000

/**
 * Objects in a bucket of Google Cloud Storage.
 *
 * @example
 * await using store = await gcsStore({ url: 'gs://my-bucket' })
 * await store.put('notes/1.txt', Buffer.from('hello'), { type: 'text/plain' })
 * @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_PEER_MISSING; the bucket is not asked before the first call
 */
export async function gcsStore(source: GcsSource): Promise<FileStore> {
  return new GcsStore(await GcsClient.open(source))
}

class GcsStore implements FileStore {
  readonly engine = 'gcs'
  readonly features: FileStoreFeatures = features
  readonly direct: DirectAccess
  readonly uploads: MultipartUploads
  readonly #gcs: GcsClient

  constructor(gcs: GcsClient) {
    this.#gcs = gcs
    this.uploads = new GcsUploads(gcs, { features })
    this.direct = new GcsDirect(gcs, { features })
  }

  async put(key: string, body: FileBody, options: PutOptions = {}): Promise<WrittenObject> {
    try {
      const facts = checkPut(key, options)
      this.#gcs.checkOpen()
      const announced = { key, ...options, mostBytes: features.maxBytes }
      checkAnnounced(announced)
      const reader = new PartReader(bytesOf(body, announced))
      const first = await reader.next(chunkBytes)
      if (first.last) return await this.#putWhole(key, first.bytes, { facts, options })
      const { ifAbsent, ifMatch, signal } = options
      const subject = { key, ifAbsent, ifMatch }
      const answer = await this.#gcs.send({
        ...subject,
        method: 'POST',
        path: `/upload/storage/v1/b/${this.#gcs.bucket}/o`,
        query: { uploadType: 'resumable', name: this.#gcs.nameOf(key), ...conditionOf(options) },
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body: Buffer.from(JSON.stringify(toResource(facts, options))),
        signal,
        again: true,
      })
      answer.resume()
      const session = new URL(answer.headers.location ?? '', this.#gcs.endpoint)
      try {
        return asWritten(fromResource(key, await putResumable(this.#gcs, session, { reader, first, subject, signal })))
      } catch (error) {
        await this.#drop(session)
        throw error
      }
    } catch (error) {
      endBody(body)
      throw error
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<OpenObject> {
    checkKey(key)
    const { range, ifMatch, signal } = options
    checkRange(range)
    const answer = await this.#gcs
      .send({
        key,
        ifMatch,
        method: 'GET',
        path: this.#gcs.plain(this.#gcs.nameOf(key)),
        headers: {
          range: range && `bytes=${range.first}-${range.last ?? ''}`,
          'x-goog-if-generation-match': ifMatch && generationOf(ifMatch),
          // What was stored compressed is given as it was stored.
          'accept-encoding': 'gzip',
        },
        signal,
      })
      .catch(async (error: unknown) => {
        // A missing object is told like another one.
        if (isPlimsollError(error, 'PLIMSOLL_FILE_CHANGED') && (await this.head(key, { signal })) === undefined)
          throw fileNotFound(key)
        throw error
      })
    const size = Number(
      /\/(\d+)$/.exec(answer.headers['content-range'] ?? '')?.[1] ?? answer.headers['content-length'] ?? 0,
    )
    const { first, last } = range === undefined ? { first: 0, last: size - 1 } : rangeWithin(range, size)
    const stream = guardStream(answer, {
      bytes: last - first + 1,
      idleMs: this.#gcs.timeoutMs,
      signal,
      toError: (cause) => unreachable(this.#gcs.name, cause),
    })
    return { ...fromHeaders(key, answer.headers, size), first, last, stream }
  }

  async head(
    key: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<StoredObject | undefined> {
    checkKey(key)
    const object = await this.#find(key, options.signal)
    return object && fromResource(key, object)
  }

  async copy(from: string, to: string, options: CopyOptions = {}): Promise<WrittenObject> {
    checkKey(from)
    checkPut(to, options)
    const source = await this.#need(from, options.signal)
    const facts = copiedFacts(fromResource(from, source), options)
    const { ifAbsent, signal } = options
    const names = [from, to].map((key) => this.#gcs.object(this.#gcs.nameOf(key)))
    const path = `${names[0]}/rewriteTo${names[1]!.slice('/storage/v1'.length)}`
    // Large objects are copied bit by bit, each call going on from the one before.
    for (let rewriteToken: string | undefined; ;) {
      const answer = await this.#gcs.json<{ done: boolean; rewriteToken?: string; resource?: GcsObject }>({
        key: to,
        ifAbsent,
        method: 'POST',
        path,
        query: { ...conditionOf(options), ifSourceGenerationMatch: source.generation, rewriteToken },
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body: Buffer.from(JSON.stringify(toResource(facts))),
        bytes: Number(source.size),
        signal,
        again: ifAbsent !== true,
      })
      if (answer.done) return asWritten(fromResource(to, answer.resource!))
      rewriteToken = answer.rewriteToken
    }
  }

  async compose(parts: readonly string[], to: string, options: PutOptions = {}): Promise<WrittenObject> {
    for (const key of parts) checkKey(key)
    const facts = checkPut(to, options)
    checkAnnounced({ key: to, ...options, mostBytes: features.maxBytes })
    const { size, signal } = options
    const sources = await Promise.all(parts.map((key) => this.#need(key, signal)))
    const sum = sources.reduce((bytes, source) => bytes + Number(source.size), 0)
    if (size !== undefined && size !== sum) throw fileCorrupt(to, `there are ${sum} of ${size}`)
    // What the service does not read by itself cannot be checked by it.
    if (sources.length === 0 || hasChecksums(options)) {
      return this.put(to, this.#bytesOf(parts, { sources, signal }), { ...options, size: sum })
    }
    const made: GcsObject[] = []
    try {
      let level: readonly GcsObject[] = sources
      while (level.length > joinedAtOnce) {
        const next: GcsObject[] = []
        for (let n = 0; n < level.length; n += joinedAtOnce) {
          const name = this.#gcs.nameOf(`${ownFolder}join-${randomToken()}`)
          const joined = await this.#join(level.slice(n, n + joinedAtOnce), name, { facts, options: { signal } })
          made.push(joined)
          next.push(joined)
        }
        level = next
      }
      return asWritten(fromResource(to, await this.#join(level, this.#gcs.nameOf(to), { facts, options, key: to })))
    } finally {
      await Promise.all(made.map(({ name }) => this.#remove(name).catch(() => {})))
    }
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ObjectPage> {
    const { size, after } = checkListing(prefix, options)
    const found: ObjectPage['objects'][number][] = []
    let pageToken: string | undefined
    do {
      const page = await this.#gcs.json<{ items?: GcsObject[]; nextPageToken?: string }>({
        method: 'GET',
        path: `/storage/v1/b/${this.#gcs.bucket}/o`,
        query: {
          prefix: this.#gcs.nameOf(prefix),
          // It is in the answer itself.
          startOffset: after === undefined ? undefined : this.#gcs.nameOf(after),
          maxResults: String(Math.min(mostListed, size + 2 - found.length)),
          pageToken,
          fields: 'items(name,size,generation,crc32c,updated),nextPageToken',
        },
      })
      for (const item of page.items ?? []) {
        const {
          key,
          size: bytes,
          etag,
          crc32c,
          modifiedAt,
        } = fromResource(item.name.slice(this.#gcs.prefix.length), item)
        if (key === after || key.startsWith(ownFolder)) continue
        found.push({ key, size: bytes, etag, crc32c, modifiedAt })
      }
      pageToken = page.nextPageToken
    } while (pageToken !== undefined && found.length <= size)
    return { objects: found.slice(0, size), next: found.length > size ? found[size - 1]!.key : undefined }
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkKey(key)
    this.#gcs.checkOpen()
    for (let n = 0; n < keys.length; n += atOnce) {
      await Promise.all(keys.slice(n, n + atOnce).map((key) => this.#remove(this.#gcs.nameOf(key))))
    }
  }

  async close(): Promise<void> {
    this.#gcs.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** The facts and the bytes in one request. */
  async #putWhole(
    key: string,
    bytes: Buffer,
    { facts, options }: { readonly facts: CheckedFacts; readonly options: PutOptions },
  ): Promise<WrittenObject> {
    const { ifAbsent, ifMatch, signal } = options
    const md5Hash = createHash('md5').update(bytes).digest('base64')
    const boundary = `plimsoll-${randomToken()}`
    const resource = JSON.stringify({ ...toResource(facts, options), md5Hash })
    const body = Buffer.concat([
      Buffer.from(`--${boundary}\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${resource}\r\n`),
      Buffer.from(`--${boundary}\r\ncontent-type: ${facts.type}\r\n\r\n`),
      bytes,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ])
    const object = await this.#gcs.json<GcsObject>({
      key,
      ifAbsent,
      ifMatch,
      method: 'POST',
      path: `/upload/storage/v1/b/${this.#gcs.bucket}/o`,
      query: { uploadType: 'multipart', name: this.#gcs.nameOf(key), ...conditionOf(options) },
      headers: { 'content-type': `multipart/related; boundary=${boundary}` },
      body,
      signal,
      again: ifAbsent !== true && ifMatch === undefined,
    })
    return asWritten(fromResource(key, object))
  }

  async #join(
    sources: readonly GcsObject[],
    name: string,
    { facts, options, key }: { readonly facts: CheckedFacts; readonly options: PutOptions; readonly key?: string },
  ): Promise<GcsObject> {
    const { ifAbsent, ifMatch, signal } = options
    const sourceObjects = sources.map((source) => ({
      name: source.name,
      generation: source.generation,
    }))
    return this.#gcs.json<GcsObject>({
      key,
      ifAbsent,
      ifMatch,
      method: 'POST',
      path: `${this.#gcs.object(name)}/compose`,
      query: conditionOf(options),
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: Buffer.from(JSON.stringify({ sourceObjects, destination: toResource(facts) })),
      signal,
      again: ifAbsent !== true && ifMatch === undefined,
    })
  }

  async *#bytesOf(
    keys: readonly string[],
    { sources, signal }: { readonly sources: readonly GcsObject[]; readonly signal: AbortSignal | undefined },
  ): AsyncGenerator<Buffer> {
    for (const [n, key] of keys.entries()) {
      const opened = await this.get(key, { ifMatch: toEtag(sources[n]!.generation), signal })
      for await (const chunk of opened.stream) yield chunk as Buffer
    }
  }

  async #need(key: string, signal: AbortSignal | undefined): Promise<GcsObject> {
    const object = await this.#find(key, signal)
    if (object === undefined) throw fileNotFound(key)
    return object
  }

  async #find(key: string, signal: AbortSignal | undefined): Promise<GcsObject | undefined> {
    try {
      return await this.#gcs.json<GcsObject>({
        key,
        method: 'GET',
        path: this.#gcs.object(this.#gcs.nameOf(key)),
        signal,
      })
    } catch (error) {
      if (isPlimsollError(error, 'PLIMSOLL_FILE_NOT_FOUND')) return undefined
      throw error
    }
  }

  async #remove(name: string): Promise<void> {
    await this.#gcs.text({ method: 'DELETE', path: this.#gcs.object(name), accepts: [404], again: true })
  }

  /** Ends a resumable upload; when it fails, the service does so after a week. */
  async #drop(session: URL): Promise<void> {
    const path = session.pathname + session.search
    await this.#gcs.text({ method: 'DELETE', path, accepts: [404, 410, 499] }).catch(() => {})
  }
}

function conditionOf({ ifAbsent, ifMatch }: Pick<PutOptions, 'ifAbsent' | 'ifMatch'>): {
  readonly ifGenerationMatch: string | undefined
} {
  return { ifGenerationMatch: ifAbsent === true ? '0' : ifMatch && generationOf(ifMatch) }
}
