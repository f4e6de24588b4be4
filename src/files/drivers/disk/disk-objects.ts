import { rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { doneOnce } from '../../../core/done-once.ts'
import type { PutOptions } from '../../contract.ts'
import { fileChanged, fileExists } from '../../file-errors.ts'
import type { CheckedFacts } from '../../object-facts.ts'
import { ifThere } from './disk-errors.ts'
import { syncFolder, type DiskFolder } from './disk-folder.ts'
import { KeyLocks, type KeyLock } from './key-locks.ts'
import { recordPath } from './key-path.ts'
import { intoFolder, readRecord, writeRecord, type ObjectRecord } from './object-record.ts'
import { Staging } from './staging.ts'

/** A file that is to become an object. */
export interface StagedObject {
  readonly key: string
  /** Where it is; it is gone afterwards, whatever happens. */
  readonly path: string
  readonly size: number
  /** Where it is known. */
  readonly crc32c?: string | undefined
  readonly facts: CheckedFacts
  readonly upload?: string | undefined
}

type Conditions = Pick<PutOptions, 'ifAbsent' | 'ifMatch' | 'signal'>

/** Reads and changes the objects of a folder, each change in one step for whoever reads. */
export class DiskObjects {
  readonly folder: DiskFolder
  readonly staging: Staging
  readonly locks: KeyLocks
  /** Removes, once, what processes that were killed have left. */
  readonly purge: () => Promise<void> = doneOnce(() => this.#purge())

  constructor(folder: DiskFolder) {
    this.folder = folder
    this.staging = new Staging(folder)
    this.locks = new KeyLocks(folder, { staging: this.staging, recover: (key, blobs) => this.#recover(key, blobs) })
  }

  /** Refuses what cannot be done by what is there now, before any bytes are read. */
  async check(key: string, { ifAbsent, ifMatch }: Conditions): Promise<void> {
    if (ifAbsent !== true && ifMatch === undefined) return
    checkConditions(key, await readRecord(this.folder, key), { ifAbsent, ifMatch })
  }

  /**
   * Makes an object of a file.
   *
   * @throws PLIMSOLL_FILE_EXISTS, PLIMSOLL_FILE_CHANGED
   */
  async commit(staged: StagedObject, conditions: Conditions): Promise<ObjectRecord> {
    const { key, path, size, crc32c, facts, upload } = staged
    const record: ObjectRecord = {
      key,
      size,
      crc32c,
      ...facts,
      modifiedAt: Math.floor(Date.now() / 1000) * 1000,
      blob: this.staging.name(),
      upload,
    }
    const options = { blobs: [record.blob], signal: conditions.signal }
    try {
      await this.locks.run(key, (lock) => this.#replace(record, { path, lock, conditions }), options)
    } catch (error) {
      await this.staging.drop(path)
      throw error
    }
    return record
  }

  /** Removes an object, if it is there. */
  async remove(key: string): Promise<void> {
    const path = recordPath(this.folder.objects, key)
    if ((await readRecord(this.folder, key)) === undefined) return
    await this.locks.run(key, async (lock) => {
      const record = await readRecord(this.folder, key)
      if (record === undefined) return
      await lock.note([record.blob])
      await unlink(path)
      await this.folder.sync(dirname(path))
      await this.#dropBlob(record.blob)
    })
    await this.folder.prune(dirname(path), this.folder.objects)
  }

  async #replace(
    record: ObjectRecord,
    { path, lock, conditions }: { readonly path: string; readonly lock: KeyLock; readonly conditions: Conditions },
  ): Promise<void> {
    const old = await readRecord(this.folder, record.key)
    checkConditions(record.key, old, conditions)
    conditions.signal?.throwIfAborted()
    if (old !== undefined) await lock.note([record.blob, old.blob])
    const blob = this.folder.blobPath(record.blob)
    try {
      await intoFolder(this.folder, blob, () => rename(path, blob))
      await syncFolder(dirname(blob))
      await writeRecord(this.folder, record, { staging: this.staging, ifAbsent: old === undefined })
    } catch (error) {
      // When only its names could not be written to the disk, it is the one all the same.
      const current = await readRecord(this.folder, record.key).catch(() => undefined)
      if (current?.blob !== record.blob) await this.#dropBlob(record.blob)
      throw error
    }
    if (old !== undefined) await this.#dropBlob(old.blob)
  }

  async #dropBlob(blob: string): Promise<void> {
    await ifThere(unlink(this.folder.blobPath(blob)))
  }

  async #recover(key: string, blobs: readonly string[]): Promise<void> {
    // Locks of uploads, which have no blobs, begin with a slash.
    if (key.startsWith('/') || blobs.length === 0) return
    const current = await readRecord(this.folder, key)
    for (const blob of blobs) if (blob !== current?.blob) await this.#dropBlob(blob)
  }

  async #purge(): Promise<void> {
    await this.locks.purge()
    await this.staging.purge()
  }
}

function checkConditions(
  key: string,
  current: ObjectRecord | undefined,
  { ifAbsent, ifMatch }: Pick<Conditions, 'ifAbsent' | 'ifMatch'>,
): void {
  if (ifAbsent === true && current !== undefined) throw fileExists(key)
  if (ifMatch !== undefined && (current === undefined || ifMatch !== `"${current.blob}"`))
    throw fileChanged(key, ifMatch)
}
