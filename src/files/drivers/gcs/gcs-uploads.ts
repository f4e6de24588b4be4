import { randomToken } from '../../../core/random-token.ts'
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
import { fileCorrupt, fileExists, uploadNotFound } from '../../file-errors.ts'
import { asWritten } from '../../object-facts.ts'
import { checkKey, checkPrefix, ownFolder } from '../../object-key.ts'
import type { GcsCall, GcsClient } from './gcs-client.ts'
import { fromResource, toHash, toHeaders, uploadMark, type GcsObject } from './gcs-objects.ts'
import { blocksOf, escapeXml, valueOf } from './xml-text.ts'

type NamedPart = Pick<StoredPart, 'number' | 'etag'>

const folder = `${ownFolder}uploads/`
const idForm = /^([\w-]{16})\.([\x21-\x7e]{1,900})$/

/**
 * Uploads by the multipart uploads of the XML API. Their object is made under a name of its own, `.plimsoll/uploads/<key>/<token>`, and then put in its place
 * with the service's own conditions, which that API does not have for uploads; the token, in its metadata, tells a second `complete` that it is the one.
 */
export class GcsUploads implements MultipartUploads {
  readonly #gcs: GcsClient
  readonly #features: FileStoreFeatures

  constructor(gcs: GcsClient, { features }: { readonly features: FileStoreFeatures }) {
    this.#gcs = gcs
    this.#features = features
  }

  async create(key: string, options: CreateUploadOptions = {}): Promise<string> {
    const headers = toHeaders(checkPut(key, options))
    const token = randomToken()
    const path = this.#gcs.plain(nameOf(this.#gcs, key, token))
    const text = await this.#gcs.text({ key, method: 'POST', path, query: { uploads: '' }, headers })
    return `${token}.${valueOf(text, 'UploadId')}`
  }

  async putPart(upload: UploadRef, number: number, body: FileBody, options: PartOptions): Promise<StoredPart> {
    try {
      const call = this.#call(upload)
      checkPart(number, { offset: options.offset, mostParts: this.#features.maxParts })
      const announced = { key: upload.key, ...options, mostBytes: this.#features.maxPartBytes }
      checkAnnounced(announced)
      const { size, signal } = options
      const bytes = bytesOf(body, announced)
      const isHeld = size <= mostHeld
      const answer = await this.#gcs.send({
        ...call,
        method: 'PUT',
        query: { ...call.query, partNumber: String(number) },
        headers: { ...toHash(options), ...(!isHeld && { 'content-length': String(size) }) },
        body: isHeld ? await gathered(bytes) : bytes,
        bytes: size,
        signal,
        again: isHeld,
      })
      answer.resume()
      return { number, size, etag: answer.headers.etag ?? '' }
    } catch (error) {
      endBody(body)
      throw error
    }
  }

  async parts(upload: UploadRef): Promise<readonly StoredPart[]> {
    const call = this.#call(upload)
    const found: StoredPart[] = []
    for (let marker: string | undefined; ;) {
      const query = { ...call.query, 'part-number-marker': marker }
      const text = await this.#gcs.text({ ...call, method: 'GET', query })
      for (const part of blocksOf(text, 'Part')) {
        const [number, size] = [Number(valueOf(part, 'PartNumber')), Number(valueOf(part, 'Size'))]
        found.push({ number, size, etag: valueOf(part, 'ETag') })
      }
      if (valueOf(text, 'IsTruncated') !== 'true') return found.sort((a, b) => a.number - b.number)
      marker = valueOf(text, 'NextPartNumberMarker')
    }
  }

  async complete(
    upload: UploadRef,
    parts: readonly NamedPart[],
    { ifAbsent }: { readonly ifAbsent?: boolean | undefined } = {},
  ): Promise<WrittenObject> {
    const call = this.#call(upload)
    const { key } = upload
    if (parts.length === 0) throw fileCorrupt(key, 'there are no parts')
    const { token } = parseId(upload)!
    if (ifAbsent === true) {
      const there = await this.#find(this.#gcs.nameOf(key))
      if (there?.metadata?.[uploadMark] === token) return asWritten(fromResource(key, there))
      // Before the upload is over.
      if (there !== undefined) throw fileExists(key)
    }
    try {
      await this.#gcs.text({ ...call, method: 'POST', body: Buffer.from(listOf(parts)) })
    } catch (error) {
      // A second time it is in its place, or about to be put there.
      if (!isPlimsollError(error, 'PLIMSOLL_UPLOAD_NOT_FOUND')) throw error
    }
    return this.#place(upload, ifAbsent)
  }

  async abort(upload: UploadRef): Promise<void> {
    checkKey(upload.key)
    this.#gcs.checkOpen()
    const id = parseId(upload)
    if (id === undefined) return
    await this.#gcs.text({ ...this.#call(upload), method: 'DELETE', accepts: [404], again: true })
    await this.#remove(nameOf(this.#gcs, upload.key, id.token))
  }

  async *list(prefix: string): AsyncGenerator<UploadRef & { readonly createdAt: number }> {
    checkPrefix(prefix)
    const start = this.#gcs.nameOf(folder)
    const found: (UploadRef & { readonly createdAt: number })[] = []
    let markers: Readonly<Record<string, string>> = {}
    for (let more = true; more;) {
      const query = { uploads: '', prefix: `${start}${prefix}`, ...markers }
      const text = await this.#gcs.text({ method: 'GET', path: `/${this.#gcs.bucket}`, query })
      for (const block of blocksOf(text, 'Upload')) {
        const [, key, token] = /^(.*)\/([\w-]{16})$/s.exec(valueOf(block, 'Key').slice(start.length)) ?? []
        if (key === undefined || !key.startsWith(prefix)) continue
        found.push({
          key,
          id: `${token}.${valueOf(block, 'UploadId')}`,
          createdAt: Date.parse(valueOf(block, 'Initiated')),
        })
      }
      more = valueOf(text, 'IsTruncated') === 'true'
      markers = {
        'key-marker': valueOf(text, 'NextKeyMarker'),
        'upload-id-marker': valueOf(text, 'NextUploadIdMarker'),
      }
    }
    // The service has them by their keys.
    yield* found.sort((a, b) => a.createdAt - b.createdAt)
  }

  /** Puts the object of an upload in its place, in one step and once, and removes where it was. */
  async #place(upload: UploadRef, ifAbsent: boolean | undefined): Promise<WrittenObject> {
    const { key } = upload
    const { token } = parseId(upload)!
    for (;;) {
      const there = await this.#find(this.#gcs.nameOf(key))
      const source = await this.#find(nameOf(this.#gcs, key, token))
      if (there?.metadata?.[uploadMark] === token) {
        if (source !== undefined) await this.#remove(source.name)
        return asWritten(fromResource(key, there))
      }
      // Somebody else may have put it there between the two.
      if (source === undefined && (await this.#find(this.#gcs.nameOf(key)))?.metadata?.[uploadMark] === token) continue
      if (source === undefined) throw uploadNotFound(upload)
      if (ifAbsent === true && there !== undefined) throw fileExists(key)
      const made = await this.#join(source, { key, token, generation: there?.generation ?? '0' })
      if (made !== undefined) {
        await this.#remove(source.name)
        return asWritten(fromResource(key, made))
      }
    }
  }

  /** Makes the object out of that of the upload, where the one that is there is the one that was seen; undefined when it is not. */
  async #join(
    source: GcsObject,
    { key, token, generation }: { readonly key: string; readonly token: string; readonly generation: string },
  ): Promise<GcsObject | undefined> {
    const { name, contentType, cacheControl, contentDisposition, metadata } = source
    const destination = {
      contentType,
      cacheControl,
      contentDisposition,
      metadata: { ...metadata, [uploadMark]: token },
    }
    try {
      return await this.#gcs.json<GcsObject>({
        key,
        ifAbsent: true,
        method: 'POST',
        path: `${this.#gcs.object(this.#gcs.nameOf(key))}/compose`,
        query: { ifGenerationMatch: generation },
        headers: { 'content-type': 'application/json; charset=utf-8' },
        body: Buffer.from(JSON.stringify({ sourceObjects: [{ name, generation: source.generation }], destination })),
      })
    } catch (error) {
      // Another one is there, or the source has gone, with what somebody else has made of it.
      if (isPlimsollError(error, 'PLIMSOLL_FILE_EXISTS') || isPlimsollError(error, 'PLIMSOLL_FILE_NOT_FOUND'))
        return undefined
      throw error
    }
  }

  async #find(name: string): Promise<GcsObject | undefined> {
    try {
      return await this.#gcs.json<GcsObject>({ method: 'GET', path: this.#gcs.object(name) })
    } catch (error) {
      if (isPlimsollError(error, 'PLIMSOLL_FILE_NOT_FOUND')) return undefined
      throw error
    }
  }

  async #remove(name: string): Promise<void> {
    await this.#gcs.text({ method: 'DELETE', path: this.#gcs.object(name), accepts: [404], again: true })
  }

  #call(upload: UploadRef): Pick<GcsCall, 'path' | 'query' | 'key' | 'uploadId'> {
    checkKey(upload.key)
    this.#gcs.checkOpen()
    const id = parseId(upload)
    if (id === undefined) throw uploadNotFound(upload)
    const path = this.#gcs.plain(nameOf(this.#gcs, upload.key, id.token))
    return { path, query: { uploadId: id.uploadId }, key: upload.key, uploadId: upload.id }
  }
}

/** Where the parts of an upload are, and the object until it is in its place. */
export function nameOf(gcs: GcsClient, key: string, token: string): string {
  return gcs.nameOf(`${folder}${key}/${token}`)
}

/** The token and the service's own id in the id of an upload. */
export function parseId({ id }: UploadRef): { readonly token: string; readonly uploadId: string } | undefined {
  const [, token, uploadId] = idForm.exec(id) ?? []
  return token === undefined || uploadId === undefined ? undefined : { token, uploadId }
}

function listOf(parts: readonly NamedPart[]): string {
  const all = parts
    .toSorted((a, b) => a.number - b.number)
    .map(({ number, etag }) => `<Part><PartNumber>${number}</PartNumber><ETag>${escapeXml(etag)}</ETag></Part>`)
  return `<CompleteMultipartUpload>${all.join('')}</CompleteMultipartUpload>`
}
