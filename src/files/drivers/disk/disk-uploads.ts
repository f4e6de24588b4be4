import { readdir, rename, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { randomToken } from '../../../core/random-token.ts'
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
import { BodyReader } from '../../body-reader.ts'
import { checkAnnounced, endBody } from '../../file-body.ts'
import { fileCorrupt, uploadNotFound } from '../../file-errors.ts'
import { checkKey, checkPrefix } from '../../object-key.ts'
import type { CheckedFacts } from '../../object-facts.ts'
import { ifThere } from './disk-errors.ts'
import { syncFolder } from './disk-folder.ts'
import type { DiskObjects } from './disk-objects.ts'
import { FileSource } from './file-source.ts'
import { readRecord, toWritten } from './object-record.ts'
import { readParts, type PartFile } from './part-files.ts'
import { claimPlace, fillWhole, openPart } from './whole-file.ts'
import { writeBlocks } from './write-blocks.ts'

/** What is known of an upload: `uploads/<id>/upload.json`. */
interface UploadRecord {
  readonly key: string
  readonly createdAt: number
  readonly facts: CheckedFacts
}

/** A part, before it is there. */
interface ComingPart {
  readonly number: number
  readonly reader: BodyReader
  readonly options: PartOptions
}

const recordName = 'upload.json'
// The time first, so that names sort by age.
const idForm = /^[0-9a-z]{9}-[\w-]{16}$/

/** Uploads as folders of parts. They are there after a restart, and for all processes; what changes one holds its lock. */
export class DiskUploads implements MultipartUploads {
  readonly #objects: DiskObjects
  readonly #run: <T>(work: () => Promise<T>) => Promise<T>
  readonly #features: FileStoreFeatures

  constructor(
    objects: DiskObjects,
    {
      run,
      features,
    }: { readonly run: <T>(work: () => Promise<T>) => Promise<T>; readonly features: FileStoreFeatures },
  ) {
    this.#objects = objects
    this.#run = run
    this.#features = features
  }

  async create(key: string, options: CreateUploadOptions = {}): Promise<string> {
    const facts = checkPut(key, options)
    return this.#run(async () => {
      await this.#objects.purge()
      const { folder, staging } = this.#objects
      const createdAt = Date.now()
      const id = `${createdAt.toString(36).padStart(9, '0')}-${randomToken()}`
      const record: UploadRecord = { key, createdAt, facts }
      const { path } = await staging.write(Buffer.from(JSON.stringify(record)))
      const staged = await staging.folder()
      await rename(path, join(staged, recordName))
      await syncFolder(staged)
      await folder.make(folder.uploads)
      await rename(staged, this.#pathOf(id))
      await syncFolder(folder.uploads)
      return id
    })
  }

  async putPart(upload: UploadRef, number: number, body: FileBody, options: PartOptions): Promise<StoredPart> {
    const { key } = upload
    try {
      checkPart(number, { offset: options.offset, mostParts: this.#features.maxParts })
      const announced = { key, ...options, mostBytes: this.#features.maxPartBytes }
      checkAnnounced(announced)
      const part = { number, options, reader: new BodyReader(body, announced) }
      return await this.#run(async () => (await this.#putInPlace(upload, part)) ?? this.#putFile(upload, part))
    } catch (error) {
      endBody(body)
      throw error
    }
  }

  async parts(upload: UploadRef): Promise<readonly StoredPart[]> {
    return this.#run(async () => {
      await this.#read(upload)
      return [...(await this.#files(upload)).values()].map(({ number, size, etag }) => ({ number, size, etag }))
    })
  }

  async complete(
    upload: UploadRef,
    parts: readonly Pick<StoredPart, 'number' | 'etag'>[],
    options: { readonly ifAbsent?: boolean | undefined } = {},
  ): Promise<WrittenObject> {
    return this.#run(() => this.#lock(upload, () => this.#complete(upload, parts, options)))
  }

  async abort(upload: UploadRef): Promise<void> {
    await this.#run(async () => {
      if ((await this.#find(upload)) === undefined) return
      await this.#lock(upload, () => this.#end(upload.id))
    })
  }

  async *list(prefix: string): AsyncGenerator<UploadRef & { readonly createdAt: number }> {
    checkPrefix(prefix)
    const names = await this.#run(() => ifThere(readdir(this.#objects.folder.uploads)))
    for (const id of (names ?? []).sort()) {
      const record = idForm.test(id) ? await this.#run(() => this.#record(id)) : undefined
      if (record?.key.startsWith(prefix) === true) yield { key: record.key, id, createdAt: record.createdAt }
    }
  }

  /** Undefined when the part has no place of its own, or not now. */
  async #putInPlace(upload: UploadRef, { number, reader, options }: ComingPart): Promise<StoredPart | undefined> {
    const { size, offset, signal } = options
    if (offset === undefined || size === 0) return undefined
    const folder = this.#pathOf(upload.id)
    const name = this.#objects.staging.name()
    const place = await this.#lock(
      upload,
      async () => {
        await this.#read(upload)
        return claimPlace(folder, { number, size, offset, name })
      },
      signal,
    )
    if (place === undefined) return undefined
    const { file, path } = place
    try {
      try {
        await writeBlocks(file, reader, offset)
        await file.datasync()
      } finally {
        await file.close()
      }
      const kept = join(folder, `${number}.${size}.${name}.${offset}`)
      await this.#lock(upload, () => this.#keepPart(upload, { path, number, kept }), signal)
      return { number, size, etag: `"${name}"` }
    } finally {
      await this.#objects.staging.drop(path)
    }
  }

  async #putFile(upload: UploadRef, { number, reader, options }: ComingPart): Promise<StoredPart> {
    await this.#read(upload)
    const { staging } = this.#objects
    const { path, size } = await staging.write(reader)
    try {
      const name = staging.name()
      const kept = join(this.#pathOf(upload.id), `${number}.${size}.${name}`)
      await this.#lock(upload, () => this.#keepPart(upload, { path, number, kept }), options.signal)
      return { number, size, etag: `"${name}"` }
    } finally {
      await staging.drop(path)
    }
  }

  /** Has a file be what is known of a part, in the place of what was. */
  async #keepPart(
    upload: UploadRef,
    { path, number, kept }: { readonly path: string; readonly number: number; readonly kept: string },
  ): Promise<void> {
    await this.#read(upload)
    const folder = this.#pathOf(upload.id)
    const { parts } = await readParts(folder)
    await rename(path, kept)
    await syncFolder(folder)
    for (const old of parts) if (old.number === number) await ifThere(unlink(old.path))
  }

  async #complete(
    upload: UploadRef,
    parts: readonly Pick<StoredPart, 'number' | 'etag'>[],
    { ifAbsent }: { readonly ifAbsent?: boolean | undefined },
  ): Promise<WrittenObject> {
    const { key, id } = upload
    const open = await this.#find(upload)
    const there = await readRecord(this.#objects.folder, key)
    if (there?.upload === id) {
      // Somebody was killed before the folder was gone.
      if (open !== undefined) await this.#end(id)
      return toWritten(there)
    }
    if (open === undefined) throw uploadNotFound(upload)
    await this.#objects.check(key, { ifAbsent })
    const files = inOrder(parts, await this.#files(upload), key)
    const { path, size } = await this.#joined(upload, files)
    const record = await this.#objects.commit({ key, path, size, facts: open.facts, upload: id }, { ifAbsent })
    await this.#end(id)
    return toWritten(record)
  }

  /** A file of all parts: the one that they were written into at their places, or else a copy. */
  async #joined(
    { key, id }: UploadRef,
    files: readonly PartFile[],
  ): Promise<{ readonly path: string; readonly size: number }> {
    const { folder: disk, staging } = this.#objects
    const size = files.reduce((sum, part) => sum + part.size, 0)
    const [only, ...others] = files
    const whole =
      others.length === 0 && only!.offset === undefined
        ? only!.path
        : await fillWhole(this.#pathOf(id), files, { key, disk })
    if (whole !== undefined) return { path: await staging.twin(whole), size }
    const pieces = files.map((part) => () => openPart(part, { key, disk }))
    return staging.write(new BodyReader(new FileSource(pieces, disk.root), { key, size, mostBytes: size }))
  }

  /** In one step for everybody else, then bit by bit. */
  async #end(id: string): Promise<void> {
    const ended = await ifThere(this.#objects.staging.takeIn(this.#pathOf(id)))
    // Somebody else has ended it, while this one waited for its lock.
    if (ended !== undefined) await rm(ended, { recursive: true, force: true })
  }

  /** The parts by number. */
  async #files({ id }: UploadRef): Promise<ReadonlyMap<number, PartFile>> {
    const found = new Map<number, PartFile>()
    const { parts } = await readParts(this.#pathOf(id))
    for (const part of parts.toSorted((a, b) => a.number - b.number)) {
      const other = found.get(part.number)
      // Two of a number are left by a process that was killed: the later one counts.
      if (other === undefined || (await isLater(part.path, other.path))) found.set(part.number, part)
    }
    return found
  }

  async #read(upload: UploadRef): Promise<UploadRecord> {
    const record = await this.#find(upload)
    if (record === undefined) throw uploadNotFound(upload)
    return record
  }

  async #find({ key, id }: UploadRef): Promise<UploadRecord | undefined> {
    checkKey(key)
    if (!idForm.test(id)) return undefined
    const record = await this.#record(id)
    return record?.key === key ? record : undefined
  }

  async #record(id: string): Promise<UploadRecord | undefined> {
    const file = await this.#objects.folder.open(join(this.#pathOf(id), recordName))
    if (file === undefined) return undefined
    try {
      return JSON.parse(await file.readFile('utf8')) as UploadRecord
    } finally {
      await file.close()
    }
  }

  #pathOf(id: string): string {
    return join(this.#objects.folder.uploads, id)
  }

  #lock<T>({ key, id }: UploadRef, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    checkKey(key)
    if (!idForm.test(id)) throw uploadNotFound({ key, id })
    // No key begins with a slash.
    return this.#objects.locks.run(`/uploads/${id}`, work, { signal })
  }
}

function inOrder(
  parts: readonly Pick<StoredPart, 'number' | 'etag'>[],
  files: ReadonlyMap<number, PartFile>,
  key: string,
): readonly PartFile[] {
  if (parts.length === 0) throw fileCorrupt(key, 'there are no parts')
  if (new Set(parts.map(({ number }) => number)).size < parts.length) throw fileCorrupt(key, 'a part is named twice')
  return parts
    .toSorted((a, b) => a.number - b.number)
    .map(({ number, etag }) => {
      const file = files.get(number)
      if (file === undefined) throw fileCorrupt(key, `part ${number} is missing`)
      if (file.etag !== etag) throw fileCorrupt(key, `part ${number} has the ETag ${file.etag}, not ${etag}`)
      return file
    })
}

async function isLater(path: string, other: string): Promise<boolean> {
  const [one, two] = await Promise.all([ifThere(stat(path)), ifThere(stat(other))])
  return two === undefined || (one !== undefined && one.mtimeMs > two.mtimeMs)
}
