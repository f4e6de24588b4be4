import { lstat, type FileHandle } from 'node:fs/promises'
import { ifThere } from './disk-errors.ts'
import type { DiskFolder } from './disk-folder.ts'
import { recordPath } from './key-path.ts'
import type { ObjectRecord } from './object-record.ts'

/** How long a file stays open that nobody reads, in milliseconds. What was removed meanwhile is on the disk as long. */
const idleMs = 2000
/** How many of them may be open. */
const mostIdle = 64
/**
 * A record so young is looked at again: the clock of a file system is no finer than some milliseconds, and within one of its ticks a
 * record could be replaced by one that looks the same.
 */
const youngMs = 100

interface SharedFile {
  readonly record: ObjectRecord
  readonly file: FileHandle
  /** What its record is known by. */
  readonly mark: string
  users: number
  /** False when another one has taken its place: it is closed by the last who reads it. */
  current: boolean
  timer: NodeJS.Timeout | undefined
}

/** Opens an object, whatever it is by now. */
type OpenObjectFile = (key: string) => Promise<{ readonly record: ObjectRecord; readonly file: FileHandle }>

/** An object that is open, and how to say that one does not read it any more. */
export interface OpenShared {
  readonly record: ObjectRecord
  readonly file: FileHandle
  release(): void
}

/**
 * Files that are open, by key. Players ask for one file again and again in small parts: whether it is still the one tells a look at its
 * record, without reading that and without opening anything.
 */
export class SharedFiles {
  readonly #folder: DiskFolder
  readonly #open: OpenObjectFile
  readonly #files = new Map<string, SharedFile>()
  #idle = 0

  constructor(folder: DiskFolder, open: OpenObjectFile) {
    this.#folder = folder
    this.#open = open
  }

  /** Opens an object. @throws PLIMSOLL_FILE_NOT_FOUND */
  async open(key: string): Promise<OpenShared> {
    const mark = await this.#markOf(key)
    const known = this.#files.get(key)
    if (known !== undefined && known.mark === mark) return this.#use(known, key)
    const { record, file } = await this.#open(key)
    // Who looks like its record did before it was read, and after, is of it.
    const shared = {
      record,
      file,
      mark: mark ?? '',
      users: 0,
      current: mark !== undefined && mark === (await this.#markOf(key)),
      timer: undefined,
    }
    if (shared.current) {
      const before = this.#files.get(key)
      if (before !== undefined) this.#retire(before)
      this.#files.set(key, shared)
    }
    return this.#use(shared, key)
  }

  /** Closes what nobody reads; the rest is closed by those who do. */
  close(): void {
    for (const shared of this.#files.values()) this.#retire(shared)
    this.#files.clear()
  }

  #use(shared: SharedFile, key: string): OpenShared {
    if (shared.users++ === 0 && shared.timer !== undefined) {
      clearTimeout(shared.timer)
      shared.timer = undefined
      this.#idle--
    }
    let released = false
    const release = (): void => {
      if (released) return
      released = true
      if (--shared.users > 0) return
      if (!shared.current || this.#idle >= mostIdle) this.#drop(shared, key)
      else {
        this.#idle++
        shared.timer = setTimeout(() => {
          this.#idle--
          this.#drop(shared, key)
        }, idleMs).unref()
      }
    }
    return { record: shared.record, file: shared.file, release }
  }

  #drop(shared: SharedFile, key: string): void {
    if (this.#files.get(key) === shared) this.#files.delete(key)
    shared.current = false
    void shared.file.close()
  }

  #retire(shared: SharedFile): void {
    shared.current = false
    if (shared.users > 0) return
    clearTimeout(shared.timer)
    this.#idle--
    void shared.file.close()
  }

  /** What a record is known by; undefined for none, and for one that is too young to be known. */
  async #markOf(key: string): Promise<string | undefined> {
    const found = await ifThere(lstat(recordPath(this.#folder.objects, key), { bigint: true }))
    if (found === undefined || !found.isFile() || Date.now() - Number(found.ctimeMs) < youngMs) return undefined
    return `${found.dev}.${found.ino}.${found.ctimeNs}.${found.size}`
  }
}
