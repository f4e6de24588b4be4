import { readdir, rename, rm, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { randomToken } from '../../../core/random-token.ts'
import { checkPartNumber, checkPut } from '../../check-options.ts'
import type {
  FileBody,
  FileStoreFeatures,
  MultipartUploads,
  ObjectFacts,
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
import { readRecord, toWritten } from './object-record.ts'

/** What is known of an upload: `uploads/<id>/upload.json`. */
interface UploadRecord {
  readonly key: string
  readonly createdAt: number
  readonly facts: CheckedFacts
}

/** A part: the file `uploads/<id>/<number>.<size>.<name>`, of which the name is its ETag. */
interface PartFile extends StoredPart {
  readonly path: string
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

  async create(key: string, facts: ObjectFacts = {}): Promise<string> {
    const checked = checkPut(key, facts)
    return this.#run(async () => {
      await this.#objects.purge()
      const { folder, staging } = this.#objects
      const createdAt = Date.now()
      const id = `${createdAt.toString(36).padStart(9, '0')}-${randomToken()}`
      const record: UploadRecord = { key, createdAt, facts: checked }
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
      checkPartNumber(number, this.#features.maxParts)
      const announced = { key, ...options, mostBytes: this.#features.maxPartBytes }
      checkAnnounced(announced)
      return await this.#run(async () => {
        await this.#read(upload)
        const { staging } = this.#objects
        const { path, size } = await staging.write(new BodyReader(body, announced))
        try {
          return await this.#lock(upload, () => this.#keepPart(upload, { path, size, number }), options.signal)
        } finally {
          await staging.drop(path)
        }
      })
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

  async #keepPart(
    upload: UploadRef,
    { path, size, number }: { readonly path: string; readonly size: number; readonly number: number },
  ): Promise<StoredPart> {
    await this.#read(upload)
    const name = this.#objects.staging.name()
    const folder = this.#pathOf(upload.id)
    const before = (await this.#names(upload)).filter((part) => part.number === number)
    await rename(path, join(folder, `${number}.${size}.${name}`))
    await syncFolder(folder)
    for (const old of before) await ifThere(unlink(old.path))
    return { number, size, etag: `"${name}"` }
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
    const { path, size } = await this.#joined(files, key)
    const record = await this.#objects.commit({ key, path, size, facts: open.facts, upload: id }, { ifAbsent })
    await this.#end(id)
    return toWritten(record)
  }

  async #joined(files: readonly PartFile[], key: string): Promise<{ readonly path: string; readonly size: number }> {
    const { folder, staging } = this.#objects
    const [only, ...others] = files
    if (others.length === 0) return { path: await staging.twin(only!.path), size: only!.size }
    const bytes = async function* (): AsyncGenerator<Buffer> {
      for (const { path, number } of files) {
        const file = await folder.open(path)
        if (file === undefined) throw fileCorrupt(key, `part ${number} has gone`)
        for await (const chunk of file.createReadStream({ highWaterMark: 1024 * 1024 })) yield chunk as Buffer
      }
    }
    return staging.write(new BodyReader(bytes(), { key, mostBytes: this.#features.maxBytes }))
  }

  /** In one step for everybody else, then bit by bit. */
  async #end(id: string): Promise<void> {
    const ended = await ifThere(this.#objects.staging.takeIn(this.#pathOf(id)))
    // Somebody else has ended it, while this one waited for its lock.
    if (ended !== undefined) await rm(ended, { recursive: true, force: true })
  }

  /** The parts by number. */
  async #files(upload: UploadRef): Promise<ReadonlyMap<number, PartFile>> {
    const found = new Map<number, PartFile>()
    for (const part of (await this.#names(upload)).sort((a, b) => a.number - b.number)) {
      const other = found.get(part.number)
      // Two of a number are left by a process that was killed: the later one counts.
      if (other === undefined || (await isLater(part.path, other.path))) found.set(part.number, part)
    }
    return found
  }

  async #names(upload: UploadRef): Promise<PartFile[]> {
    const folder = this.#pathOf(upload.id)
    const names = (await ifThere(readdir(folder))) ?? []
    return names.flatMap((name) => {
      const [, number, size, etag] = /^(\d+)\.(\d+)\.([0-9a-f]{32})$/.exec(name) ?? []
      if (etag === undefined) return []
      return { number: Number(number), size: Number(size), etag: `"${etag}"`, path: join(folder, name) }
    })
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
    return this.#objects.locks.run(`/uploads/${id}`, work, signal)
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
