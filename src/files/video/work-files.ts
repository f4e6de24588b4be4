import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { PlimsollError } from '../../core/errors.ts'
import type { FileStore, ObjectPage, StoredObject } from '../contract.ts'
import { workFolder } from '../internal-folders.ts'
import { mediaError } from './media-errors.ts'
import { isWholeMp4 } from './mp4-boxes.ts'

/** What the keys of the files begin with that are kept while a package is made, up to a slash: of one package, and of no other. */
export function workPrefixOf(prefix: string): string {
  return `${workFolder}${createHash('sha256').update(prefix).digest('hex').slice(0, 32)}`
}

/** How much of a file is hashed at a time. */
const hashBytes = 1024 * 1024

/** Where files are worked on, and where those that are finished are kept. */
export interface WorkFilesOptions {
  readonly store: FileStore
  /** What the keys of finished files begin with, up to a slash. */
  readonly prefix: string
  /** A folder of this process's own. */
  readonly folder: string
  readonly signal?: AbortSignal | undefined
}

/**
 * The files of an encode that has not ended: each is made in a folder, then kept in the store with its checksum, from where another
 * attempt, or another worker, goes on. What is kept is finished.
 */
export class WorkFiles {
  readonly folder: string
  readonly prefix: string
  readonly #store: FileStore
  readonly #signal: AbortSignal | undefined
  /** The names of finished files that are in the folder. */
  readonly #here = new Set<string>()
  readonly #arrivals = new EventEmitter().setMaxListeners(Infinity)

  constructor({ store, prefix, folder, signal }: WorkFilesOptions) {
    this.#store = store
    this.prefix = prefix
    this.folder = folder
    this.#signal = signal
  }

  /** Where a file is while it is made. */
  path(name: string): string {
    return join(this.folder, name)
  }

  /** The names of those that are finished, also of those that somebody has removed from the store while they are here. */
  async finished(): Promise<ReadonlySet<string>> {
    return new Set([...(await this.#kept()), ...this.#here])
  }

  async #kept(): Promise<Set<string>> {
    const names = new Set<string>()
    for await (const { key } of listAll(this.#store, `${this.prefix}/`)) names.add(key.slice(this.prefix.length + 1))
    return names
  }

  /** Keeps a file that was made. @throws PLIMSOLL_MEDIA_TOOL_FAILED when it is not whole; PLIMSOLL_STORAGE_UNREACHABLE … */
  async keep(name: string): Promise<void> {
    const path = this.path(name)
    // Every other attempt would begin with it.
    if (name.endsWith('mp4') && !(await isWholeMp4(path)))
      throw mediaError('PLIMSOLL_MEDIA_TOOL_FAILED', `'${name}' was not written to its end`)
    const [{ size }, sha256] = await Promise.all([stat(path), sha256Of(path)])
    const type = name.endsWith('.json') ? 'application/json' : 'application/octet-stream'
    const options = { size, sha256, metadata: { sha256 }, type, signal: this.#signal }
    await this.#store.put(`${this.prefix}/${name}`, createReadStream(path), options)
    this.#arrive(name)
  }

  /** The path of a finished file, which is brought here unless it is. @throws PLIMSOLL_FILE_CORRUPT, PLIMSOLL_FILE_NOT_FOUND */
  async fetch(name: string, signal: AbortSignal | undefined = this.#signal): Promise<string> {
    const path = this.path(name)
    if (this.#here.has(name)) return path
    const key = `${this.prefix}/${name}`
    const object = await fetchObject(this.#store, { key, path: `${path}.part`, signal })
    const { sha256 } = object.metadata
    if (sha256 !== undefined && sha256 !== (await sha256Of(`${path}.part`))) {
      throw new PlimsollError('PLIMSOLL_FILE_CORRUPT', `'${key}' is not what was stored under it.`, {
        details: { key },
      })
    }
    await rename(`${path}.part`, path)
    this.#arrive(name)
    return path
  }

  /** The path of a file, once it was kept or brought here: whoever waits for it does not bring it. */
  async arrived(name: string, signal: AbortSignal): Promise<string> {
    while (!this.#here.has(name)) {
      await once(this.#arrivals, name, { signal }).catch((error: unknown) => {
        signal.throwIfAborted()
        throw error
      })
    }
    return this.path(name)
  }

  #arrive(name: string): void {
    this.#here.add(name)
    this.#arrivals.emit(name)
  }

  /** Reads a finished file of JSON; undefined when there is none. */
  async read<T>(name: string): Promise<T | undefined> {
    if ((await this.#store.head(`${this.prefix}/${name}`)) === undefined) return undefined
    return JSON.parse(await readFile(await this.fetch(name), 'utf8')) as T
  }

  /** Keeps a value as JSON. */
  async write(name: string, value: unknown): Promise<void> {
    await writeFile(this.path(name), JSON.stringify(value))
    await this.keep(name)
  }

  /** Removes a file here, and frees its room. */
  async discard(name: string): Promise<void> {
    this.#here.delete(name)
    await rm(this.path(name), { force: true })
  }

  /** Removes all that is kept. */
  async clear(): Promise<void> {
    const names = await this.#kept()
    if (names.size > 0) await this.#store.delete([...names].map((name) => `${this.prefix}/${name}`))
  }
}

/** Lists all objects whose keys begin with something, a page at a time. */
export async function* listAll(
  store: Pick<FileStore, 'list'>,
  prefix: string,
  signal?: AbortSignal,
): AsyncGenerator<ObjectPage['objects'][number]> {
  for (let after: string | undefined; ;) {
    signal?.throwIfAborted()
    const { objects, next } = await store.list(prefix, { after })
    yield* objects
    if (next === undefined) return
    after = next
  }
}

/** What is stored under a key. @throws PLIMSOLL_FILE_NOT_FOUND */
export async function headOf(store: FileStore, key: string, signal: AbortSignal | undefined): Promise<StoredObject> {
  const found = await store.head(key, { signal })
  if (found !== undefined) return found
  throw new PlimsollError('PLIMSOLL_FILE_NOT_FOUND', `There is no file '${key}'.`, { details: { key } })
}

/** Brings an object to a file. @throws PLIMSOLL_FILE_NOT_FOUND; PLIMSOLL_FILE_CHANGED with `etag`; PLIMSOLL_STORAGE_FULL */
export async function fetchObject(
  store: FileStore,
  {
    key,
    path,
    etag,
    signal,
  }: { key: string; path: string; etag?: string | undefined; signal?: AbortSignal | undefined },
): Promise<StoredObject> {
  await mkdir(dirname(path), { recursive: true })
  const object = await store.get(key, { ifMatch: etag, signal })
  try {
    await pipeline(object.stream, createWriteStream(path), { signal })
  } catch (error) {
    throw roomError(error)
  }
  return object
}

/** An error of the folder that is worked in, by name when it is full. */
export function roomError(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
  return new PlimsollError('PLIMSOLL_STORAGE_FULL', 'There is no room left in the folder for temporary files.', {
    cause: error,
  })
}

/** Through one block, which V8 has nothing to collect of. */
async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path)
  try {
    const block = Buffer.allocUnsafe(hashBytes)
    for (;;) {
      const { bytesRead } = await file.read(block, 0, block.length)
      if (bytesRead === 0) return hash.digest('hex')
      hash.update(block.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}
