import { randomBytes } from 'node:crypto'
import { copyFile, link, lstat, mkdir, open, readdir, rename, rm, symlink, unlink } from 'node:fs/promises'
import { constants } from 'node:fs'
import { join } from 'node:path'
import type { BodyReader } from '../../body-reader.ts'
import { hasCode, ifThere } from './disk-errors.ts'
import type { DiskFolder } from './disk-folder.ts'
import { hasEnded, processMark } from './process-mark.ts'
import { writeBlocks } from './write-blocks.ts'

/** So long a process of another machine, of which nobody here knows whether it lives, may leave a file as it is. */
const abandonedMs = 24 * 3_600_000

/**
 * Files that are being written, in a folder of each process's own: `staging/<mark>/<random name>`. What a process leaves there when it is killed is removed when
 * another one stores its first object.
 */
export class Staging {
  readonly #folder: DiskFolder
  readonly #own: string

  constructor(folder: DiskFolder) {
    this.#folder = folder
    this.#own = join(folder.staging, processMark)
  }

  /** A name that nothing has or ever had. */
  name(): string {
    return randomBytes(16).toString('hex')
  }

  /** The path of a new file. */
  path(): string {
    return join(this.#own, this.name())
  }

  /** Writes bytes to a new file, and on to the disk. When they fail, it is gone again. Resolves to its path and size. */
  async write(bytes: Buffer | BodyReader): Promise<{ readonly path: string; readonly size: number }> {
    const path = this.path()
    const file = await this.#made(() => open(path, 'wx', 0o666))
    try {
      try {
        if (Buffer.isBuffer(bytes)) await file.writeFile(bytes)
        const size = Buffer.isBuffer(bytes) ? bytes.length : await writeBlocks(file, bytes)
        await file.sync()
        return { path, size }
      } finally {
        await file.close()
      }
    } catch (error) {
      await this.drop(path)
      throw error
    }
  }

  /** Makes a new file of the bytes of another one, without copying them where the file system can do that. */
  async twin(of: string): Promise<string> {
    const path = this.path()
    try {
      await this.#made(() => link(of, path))
      return path
    } catch (error) {
      if (!hasCode(error, 'EMLINK', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV')) throw error
    }
    try {
      await copyFile(of, path, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL)
      const file = await open(path, 'r+')
      try {
        await file.sync()
      } finally {
        await file.close()
      }
      return path
    } catch (error) {
      await this.drop(path)
      throw error
    }
  }

  /** Makes a symbolic link that says something. */
  async link(content: string): Promise<string> {
    const path = this.path()
    await this.#made(() => symlink(content, path))
    return path
  }

  /** Makes a new, empty folder. */
  async folder(): Promise<string> {
    const path = this.path()
    await this.#made(() => mkdir(path))
    return path
  }

  /** Takes a file or a folder from its place, where it is in nobody's way any more; it is removed with what this process leaves. */
  async takeIn(from: string): Promise<string> {
    const path = this.path()
    await mkdir(this.#own, { recursive: true })
    await rename(from, path)
    return path
  }

  /** Removes a file, if it is there. */
  async drop(path: string): Promise<void> {
    await ifThere(unlink(path))
  }

  /** Removes what processes that have ended were writing. */
  async purge(): Promise<void> {
    for (const mark of (await ifThere(readdir(this.#folder.staging))) ?? []) {
      if (mark === processMark) continue
      const path = join(this.#folder.staging, mark)
      const ended = hasEnded(mark)
      if (ended === true) await rm(path, { recursive: true, force: true })
      if (ended === undefined) await this.#dropAbandoned(path)
    }
  }

  async #dropAbandoned(folder: string): Promise<void> {
    for (const name of (await ifThere(readdir(folder))) ?? []) {
      const path = join(folder, name)
      const facts = await ifThere(lstat(path))
      if (facts !== undefined && Date.now() - facts.mtimeMs > abandonedMs)
        await rm(path, { recursive: true, force: true })
    }
  }

  /** Runs what makes a file; makes the folder first when it is missing. */
  async #made<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
      await mkdir(this.#own, { recursive: true })
      return work()
    }
  }
}
