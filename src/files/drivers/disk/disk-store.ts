import type { FileHandle } from 'node:fs/promises'
import type {
  CopyOptions,
  FileBody,
  FileStore,
  FileStoreFeatures,
  GetOptions,
  ListOptions,
  LocalFile,
  MultipartUploads,
  ObjectPage,
  OpenObject,
  PutOptions,
  StoredObject,
  WrittenObject,
} from '../../contract.ts'
import { checkRange, rangeWithin } from '../../byte-range.ts'
import { BodyReader } from '../../body-reader.ts'
import { checkAnnounced, endBody, orAborted } from '../../file-body.ts'
import { fileChanged, fileNotFound, storageClosed } from '../../file-errors.ts'
import { checkListing, checkPut } from '../../check-options.ts'
import { checkKey } from '../../object-key.ts'
import { copiedFacts } from '../../object-facts.ts'
import { damaged, toStorageError } from './disk-errors.ts'
import { DiskFolder } from './disk-folder.ts'
import { DiskObjects, type StagedObject } from './disk-objects.ts'
import { DiskUploads } from './disk-uploads.ts'
import { FileSource } from './file-source.ts'
import { listKeys } from './list-keys.ts'
import { SharedFiles } from './shared-files.ts'
import { readRecord, readRecordNow, toStored, toWritten, type ObjectRecord } from './object-record.ts'

/** The options of {@link diskStore}. */
export interface DiskStoreOptions {
  /** The folder; made when the first object is stored. */
  readonly folder: string
}

const atOnce = 16
const readSize = 256 * 1024

/**
 * Objects as files in a folder, for one machine. Its processes may use it at the same time.
 *
 * @example
 * await using store = diskStore({ folder: '.plimsoll/files' })
 * await store.put('notes/1.txt', Buffer.from('hello'), { type: 'text/plain' })
 */
export function diskStore({ folder }: DiskStoreOptions): FileStore {
  return new DiskStore(new DiskFolder(folder))
}

class DiskStore implements FileStore {
  readonly engine = 'disk'
  readonly direct = undefined
  readonly features: FileStoreFeatures
  readonly uploads: MultipartUploads
  readonly #folder: DiskFolder
  readonly #objects: DiskObjects
  readonly #shared: SharedFiles
  #closed = false

  constructor(folder: DiskFolder) {
    this.#folder = folder
    this.#objects = new DiskObjects(folder)
    this.#shared = new SharedFiles(folder, (key) => this.#open(key))
    this.features = Object.freeze<FileStoreFeatures>({
      maxBytes: Number.MAX_SAFE_INTEGER,
      minPartBytes: 0,
      maxPartBytes: Number.MAX_SAFE_INTEGER,
      maxParts: 10_000,
      streamsParts: true,
      localPath: (key) => this.#localPath(key),
      openFile: (key) => this.#openFile(key),
    })
    const run = <T>(work: () => Promise<T>): Promise<T> => this.#run(work)
    this.uploads = new DiskUploads(this.#objects, { run, features: this.features })
  }

  async put(key: string, body: FileBody, options: PutOptions = {}): Promise<WrittenObject> {
    try {
      const facts = checkPut(key, options)
      const announced = { key, ...options, mostBytes: this.features.maxBytes }
      const { crc32c } = checkAnnounced(announced)
      return await this.#run(async () => {
        options.signal?.throwIfAborted()
        await this.#objects.purge()
        await this.#objects.check(key, options)
        return this.#store({ key, crc32c, facts }, new BodyReader(body, announced), options)
      })
    } catch (error) {
      endBody(body)
      throw error
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<OpenObject> {
    checkKey(key)
    checkRange(options.range)
    return this.#run(async () => {
      options.signal?.throwIfAborted()
      const { record, file } = await this.#open(key, options)
      try {
        const { first, last } = rangeWithin(options.range, record.size)
        // A stream cannot be told to read nothing.
        const [start, end] = last < first ? [record.size, undefined] : [first, last]
        const { signal } = options
        const highWaterMark = Math.max(1, Math.min(readSize, last - first + 1))
        const stream = file.createReadStream({ start, end, signal, highWaterMark })
        return { ...toStored(record), first, last, stream }
      } catch (error) {
        await file.close()
        throw error
      }
    })
  }

  async head(
    key: string,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<StoredObject | undefined> {
    checkKey(key)
    const record = await this.#run(() => orAborted(readRecord(this.#folder, key), options.signal))
    return record && toStored(record)
  }

  async copy(from: string, to: string, options: CopyOptions = {}): Promise<WrittenObject> {
    checkKey(from)
    checkPut(to, options)
    return this.#run(async () => {
      await this.#objects.purge()
      await this.#objects.check(to, options)
      // Under the lock of the source, so that its bytes are there as long as its record is.
      const { path, ...source } = await this.#objects.locks.run(from, async () => {
        const record = await readRecord(this.#folder, from)
        if (record === undefined) throw fileNotFound(from)
        const path = await this.#objects.staging.twin(this.#folder.blobPath(record.blob))
        return { facts: copiedFacts(record, options), size: record.size, crc32c: record.crc32c, path }
      })
      return toWritten(await this.#objects.commit({ key: to, path, ...source }, options))
    })
  }

  async compose(parts: readonly string[], to: string, options: PutOptions = {}): Promise<WrittenObject> {
    for (const key of parts) checkKey(key)
    const facts = checkPut(to, options)
    const announced = { key: to, ...options, mostBytes: this.features.maxBytes }
    const { crc32c } = checkAnnounced(announced)
    return this.#run(async () => {
      await this.#objects.purge()
      await this.#objects.check(to, options)
      const pieces = parts.map((key) => async () => {
        const { record, file } = await this.#open(key)
        return { file, first: 0, size: record.size }
      })
      const source = new FileSource(pieces, this.#folder.root)
      return this.#store({ key: to, crc32c, facts }, new BodyReader(source, announced), options)
    })
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ObjectPage> {
    const { size, after } = checkListing(prefix, options)
    return this.#run(async () => {
      const keys: string[] = []
      for await (const key of listKeys(this.#folder, { prefix, after })) {
        if (keys.push(key) > size) break
      }
      const objects: ObjectPage['objects'][number][] = []
      for (let n = 0; n < Math.min(keys.length, size); n += atOnce) {
        const some = keys.slice(n, Math.min(n + atOnce, size))
        const records = await Promise.all(some.map((key) => readRecord(this.#folder, key)))
        for (const record of records) {
          // Others have been removed since.
          if (record !== undefined) objects.push(toListed(record))
        }
      }
      return { objects, next: keys.length > size ? keys[size - 1] : undefined }
    })
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkKey(key)
    await this.#run(async () => {
      for (let n = 0; n < keys.length; n += atOnce) {
        await Promise.all(keys.slice(n, n + atOnce).map((key) => this.#objects.remove(key)))
      }
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#shared.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #store(
    object: Pick<StagedObject, 'key' | 'crc32c' | 'facts'>,
    bytes: BodyReader,
    options: PutOptions,
  ): Promise<WrittenObject> {
    const { path, size } = await this.#objects.staging.write(bytes)
    return toWritten(await this.#objects.commit({ ...object, path, size }, options))
  }

  /** Opens the bytes of an object, of one that replaces it meanwhile where it is replaced. */
  async #open(
    key: string,
    { ifMatch }: Pick<GetOptions, 'ifMatch'> = {},
  ): Promise<{ readonly record: ObjectRecord; readonly file: FileHandle }> {
    for (let missing: string | undefined; ;) {
      const record = await readRecord(this.#folder, key)
      if (record === undefined) throw fileNotFound(key)
      if (ifMatch !== undefined && ifMatch !== `"${record.blob}"`) throw fileChanged(key, ifMatch)
      const path = this.#folder.blobPath(record.blob)
      const file = await this.#folder.open(path)
      if (file !== undefined) return { record, file: await whole(file, { record, path }) }
      if (record.blob === missing) throw damaged(path, `, which has the bytes of '${key}', is missing`)
      missing = record.blob
    }
  }

  #localPath(key: string): string {
    checkKey(key)
    if (this.#closed) throw storageClosed()
    const record = readRecordNow(this.#folder, key)
    if (record === undefined) throw fileNotFound(key)
    return this.#folder.blobPath(record.blob)
  }

  async #openFile(key: string): Promise<LocalFile> {
    checkKey(key)
    const { record, file, release } = await this.#run(() => this.#shared.open(key))
    return { object: toStored(record), file, release }
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw storageClosed()
    try {
      return await work()
    } catch (error) {
      throw toStorageError(error, this.#folder.root)
    }
  }
}

/** @throws PLIMSOLL_STORAGE_UNAVAILABLE when a file has not the bytes that its record says */
async function whole(
  file: FileHandle,
  { record, path }: { readonly record: ObjectRecord; readonly path: string },
): Promise<FileHandle> {
  const { size } = await file.stat()
  if (size === record.size) return file
  await file.close()
  throw damaged(path, `has ${size} bytes instead of the ${record.size} of '${record.key}'`)
}

function toListed({ key, size, blob, crc32c, modifiedAt }: ObjectRecord): ObjectPage['objects'][number] {
  return { key, size, etag: `"${blob}"`, crc32c, modifiedAt }
}
