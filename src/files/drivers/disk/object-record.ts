import { rename, link } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { StoredObject, WrittenObject } from '../../contract.ts'
import { fileExists } from '../../file-errors.ts'
import { damaged, hasCode } from './disk-errors.ts'
import { syncFolder, type DiskFolder } from './disk-folder.ts'
import { recordPath } from './key-path.ts'
import type { Staging } from './staging.ts'

/**
 * What is known of an object, and which blob its bytes are in: one small file, replaced by a rename. Blobs are never changed, so that bytes
 * and facts are always of one and the same object.
 */
export interface ObjectRecord extends Omit<StoredObject, 'etag'> {
  /** 32 hexadecimal digits, of no other object that is or was; also its ETag. */
  readonly blob: string
  /** The upload that it was made by. */
  readonly upload: string | undefined
}

/** What is told of an object. */
export function toStored(record: ObjectRecord): StoredObject {
  return { ...toWritten(record), modifiedAt: record.modifiedAt }
}

/** A record as the store says of it to who has just written it. */
export function toWritten(record: ObjectRecord): WrittenObject {
  const { key, size, blob, crc32c, type, cacheControl, disposition, metadata } = record
  return { key, size, etag: `"${blob}"`, crc32c, type, cacheControl, disposition, metadata }
}

/** Reads the record of a key; undefined when there is none. */
export async function readRecord(folder: DiskFolder, key: string): Promise<ObjectRecord | undefined> {
  const path = recordPath(folder.objects, key)
  const file = await folder.open(path)
  if (file === undefined) return undefined
  try {
    return parse(await file.readFile('utf8'), { path, key })
  } finally {
    await file.close()
  }
}

/** The same, while everything else waits. */
export function readRecordNow(folder: DiskFolder, key: string): ObjectRecord | undefined {
  const path = recordPath(folder.objects, key)
  try {
    return parse(readFileSync(path, 'utf8'), { path, key })
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/**
 * Makes a record the one of its key, so that it survives a crash of the machine.
 *
 * @throws PLIMSOLL_FILE_EXISTS with `ifAbsent`
 */
export async function writeRecord(
  folder: DiskFolder,
  record: ObjectRecord,
  { staging, ifAbsent }: { readonly staging: Staging; readonly ifAbsent: boolean },
): Promise<void> {
  const path = recordPath(folder.objects, record.key)
  const staged = await staging.write(Buffer.from(JSON.stringify(record)))
  try {
    await intoFolder(folder, path, () => (ifAbsent ? link(staged.path, path) : rename(staged.path, path)))
  } catch (error) {
    if (ifAbsent && hasCode(error, 'EEXIST')) throw fileExists(record.key)
    throw error
  } finally {
    await staging.drop(staged.path)
  }
  await syncFolder(dirname(path))
}

/** Runs what puts a file at a path; makes its folder first, again when somebody removes it meanwhile because it is empty. */
export async function intoFolder(folder: DiskFolder, path: string, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await folder.make(dirname(path))
      return await work()
    } catch (error) {
      if (!hasCode(error, 'ENOENT') || attempt === 100) throw error
    }
  }
}

function parse(text: string, { path, key }: { readonly path: string; readonly key: string }): ObjectRecord {
  const record = readJson(text)
  if (record?.key !== key || !/^[0-9a-f]{32}$/.test(record.blob)) throw damaged(path, `is no record of '${key}'`)
  // JSON leaves out what is undefined.
  const { crc32c, cacheControl, disposition, upload } = record
  return { ...record, crc32c, cacheControl, disposition, upload }
}

function readJson(text: string): ObjectRecord | undefined {
  try {
    return JSON.parse(text) as ObjectRecord
  } catch {
    return undefined
  }
}
