import { createHash } from 'node:crypto'
import { lstat, lutimes, mkdir, readdir, readlink, rename, symlink, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { backoffMs } from '../../../core/backoff.ts'
import { orAborted } from '../../file-body.ts'
import { hasCode, ifThere } from './disk-errors.ts'
import type { DiskFolder } from './disk-folder.ts'
import { hasEnded, processMark } from './process-mark.ts'
import type { Staging } from './staging.ts'

/** The right to change a key. */
export interface KeyLock {
  /** Notes blobs that are nobody's if this process ends now: those of them that the record does not name are removed then. */
  note(blobs: readonly string[]): Promise<void>
}

/** A lock that is to be made. */
interface NewLock {
  readonly path: string
  readonly content: string
}

/** What is to be removed for a process that has ended: the blobs that it noted, under the key of its lock. */
export type Recover = (key: string, blobs: readonly string[]) => Promise<void>

/** A process of another machine renews its lock in this time, or has ended. */
const staleMs = 60_000
const poll = { firstMs: 1, mostMs: 50 }
const breaking = '.break'

/**
 * Locks of keys, among the calls of this process and among processes. A lock is a symbolic link, because one is made with what it says in one
 * step: who holds it (see `process-mark.ts`), for which key, and which blobs it has noted. Locks of processes that have ended are broken.
 */
export class KeyLocks {
  readonly #folder: DiskFolder
  readonly #staging: Staging
  readonly #recover: Recover
  /** The last call of this process for each lock. */
  readonly #last = new Map<string, Promise<unknown>>()

  constructor(folder: DiskFolder, { staging, recover }: { readonly staging: Staging; readonly recover: Recover }) {
    this.#folder = folder
    this.#staging = staging
    this.#recover = recover
  }

  /** Runs `work` while nobody else holds the lock of `key`; `blobs` are noted from the beginning. */
  async run<T>(
    key: string,
    work: (lock: KeyLock) => Promise<T>,
    { blobs = [], signal }: { readonly blobs?: readonly string[]; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    const path = join(this.#folder.locks, createHash('sha256').update(key).digest('hex').slice(0, 40))
    const before = this.#last.get(path)
    const { promise: done, resolve: end } = Promise.withResolvers<void>()
    const last = (before ?? Promise.resolve()).then(() => done)
    this.#last.set(path, last)
    try {
      if (before !== undefined) await orAborted(before, signal)
      return await this.#hold({ path, key, blobs, signal }, work)
    } finally {
      end()
      if (this.#last.get(path) === last) this.#last.delete(path)
    }
  }

  /** Breaks the locks of processes that have ended. */
  async purge(): Promise<void> {
    for (const name of (await ifThere(readdir(this.#folder.locks))) ?? []) {
      const path = join(this.#folder.locks, name)
      const held = await this.#read(path)
      if (held !== undefined) await this.#breakStale(path, held)
    }
  }

  async #hold<T>(
    {
      path,
      key,
      blobs,
      signal,
    }: {
      readonly path: string
      readonly key: string
      readonly blobs: readonly string[]
      readonly signal: AbortSignal | undefined
    },
    work: (lock: KeyLock) => Promise<T>,
  ): Promise<T> {
    await this.#take({ path, content: contentOf(key, blobs) }, signal)
    const renewal = setInterval(() => {
      lutimes(path, new Date(), new Date()).catch(() => {})
    }, staleMs / 6).unref()
    try {
      return await work({
        note: async (blobs) => {
          await rename(await this.#staging.link(contentOf(key, blobs)), path)
        },
      })
    } finally {
      clearInterval(renewal)
      await ifThere(unlink(path))
    }
  }

  async #take(lock: NewLock, signal?: AbortSignal): Promise<void> {
    const { path } = lock
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted()
      if (await this.#make(lock)) return
      const held = await this.#read(path)
      if (held === undefined || (await this.#breakStale(path, held))) continue
      await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, poll)))
    }
  }

  async #make({ path, content }: NewLock): Promise<boolean> {
    try {
      await symlink(content, path)
      return true
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return false
      if (!hasCode(error, 'ENOENT')) throw error
      await mkdir(this.#folder.locks, { recursive: true })
      return this.#make({ path, content })
    }
  }

  async #read(path: string): Promise<string | undefined> {
    return ifThere(readlink(path))
  }

  /**
   * Removes the lock `held` when its process has ended; true when it is gone. Only one process does so at a time, under a lock of its own:
   * of two, the second would remove the lock that the first has just made.
   */
  async #breakStale(path: string, held: string): Promise<boolean> {
    const { mark, key, blobs } = parseContent(held)
    if (!(hasEnded(mark) ?? (await this.#isOld(path)))) return false
    const breaker = `${path}${breaking}`
    await this.#take({ path: breaker, content: contentOf(key, []) })
    try {
      if ((await this.#read(path)) !== held) return true
      if (!path.endsWith(breaking)) await this.#recover(key, blobs)
      await ifThere(unlink(path))
      return true
    } finally {
      await ifThere(unlink(breaker))
    }
  }

  async #isOld(path: string): Promise<boolean> {
    const facts = await ifThere(lstat(path))
    return facts !== undefined && Date.now() - facts.mtimeMs > staleMs
  }
}

/** At most 1002 bytes: some file systems take links of 1023. */
function contentOf(key: string, blobs: readonly string[]): string {
  return `${processMark}:${blobs.join(',')}:${key}`
}

function parseContent(content: string): { mark: string; blobs: readonly string[]; key: string } {
  const [, mark = '', blobs = '', key = ''] = /^([^:]*):([^:]*):(.*)$/s.exec(content) ?? []
  return { mark, blobs: blobs === '' ? [] : blobs.split(','), key }
}
