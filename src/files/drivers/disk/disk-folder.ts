import { constants } from 'node:fs'
import { mkdir, open, realpath, rmdir, type FileHandle } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { damaged, hasCode, ifThere } from './disk-errors.ts'

/** The folders of a store. Nothing is made before something is stored. */
export class DiskFolder {
  /** As it was given, made absolute. */
  readonly root: string
  /** The records of the objects, in folders like their keys. */
  readonly objects: string
  /** Their bytes, under random names. */
  readonly blobs: string
  /** What is being written; see {@link Staging}. */
  readonly staging: string
  /** Who is about to change a key. */
  readonly locks: string
  /** Objects that come in parts. */
  readonly uploads: string
  #real: string | undefined

  constructor(root: string) {
    this.root = resolve(root)
    this.objects = join(this.root, 'objects')
    this.blobs = join(this.root, 'blobs')
    this.staging = join(this.root, 'staging')
    this.locks = join(this.root, 'locks')
    this.uploads = join(this.root, 'uploads')
  }

  /** Where the bytes of an object are. */
  blobPath(blob: string): string {
    return join(this.blobs, blob.slice(0, 2), blob)
  }

  /**
   * Opens a file for reading; undefined when it is not there.
   *
   * @throws PLIMSOLL_STORAGE_UNAVAILABLE when it is a symbolic link, or lies behind one
   */
  async open(path: string): Promise<FileHandle | undefined> {
    if ((await this.#inside(dirname(path))) === undefined) return undefined
    try {
      return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
      if (hasCode(error, 'ELOOP', 'EMLINK')) throw damaged(path, linked)
      throw error
    }
  }

  /**
   * Makes a folder and those above it, so that they survive a crash of the machine.
   *
   * @throws PLIMSOLL_STORAGE_UNAVAILABLE when it lies behind a symbolic link
   */
  async make(path: string): Promise<void> {
    if ((await this.#inside(path)) !== undefined) return
    const first = await mkdir(path, { recursive: true })
    await this.#inside(path)
    if (first === undefined) return
    for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
  }

  /** Has the names in a folder written to the disk, or, where somebody has removed it meanwhile, that it was. */
  async sync(path: string): Promise<void> {
    for (let folder = path; folder.length >= this.root.length; folder = dirname(folder)) {
      try {
        return await syncFolder(folder)
      } catch (error) {
        if (!hasCode(error, 'ENOENT')) throw error
      }
    }
  }

  /** Removes a folder and those above it as far as they are empty, up to `top`, which stays. */
  async prune(path: string, top: string): Promise<void> {
    for (let folder = path; folder.length > top.length; folder = dirname(folder)) {
      try {
        await rmdir(folder)
      } catch (error) {
        // Somebody has put something into it, or removes it too.
        if (hasCode(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR')) return
        throw error
      }
    }
  }

  /** What a path really is, which has to be what it says; undefined when it is not there. */
  async #inside(path: string): Promise<string | undefined> {
    // The root itself may be reached by links: those are the operator's own.
    this.#real ??= await ifThere(realpath(this.root))
    const real = await ifThere(realpath(path))
    if (this.#real === undefined || real === undefined) return undefined
    if (real !== join(this.#real, path.slice(this.root.length))) throw damaged(path, linked)
    return real
  }
}

const linked = 'is a symbolic link, or lies behind one; the storage follows none'

/** What is being written to the disk of a folder's names, and what those wait for who came meanwhile. */
interface FolderSync {
  readonly running: Promise<void>
  next?: Promise<void>
}

const syncs = new Map<string, FolderSync>()

/** Has the names in a folder written to the disk. Whoever comes while that is done waits for the next time, which is one for all of them. */
export function syncFolder(path: string): Promise<void> {
  const sync = syncs.get(path)
  if (sync === undefined) return startSync(path)
  return (sync.next ??= sync.running.then(
    () => startSync(path),
    () => startSync(path),
  ))
}

function startSync(path: string): Promise<void> {
  const sync: FolderSync = {
    running: writeNames(path).finally(() => {
      if (sync.next === undefined) syncs.delete(path)
    }),
  }
  syncs.set(path, sync)
  return sync.running
}

async function writeNames(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY)
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
