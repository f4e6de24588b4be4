import { hash } from 'node:crypto'
import type { FileStore, StoredObject } from '../contract.ts'
import { ledger, type EndedUpload } from './ledger.ts'
import type { UploadParts } from './types.ts'
import { storeRef, tailKey, waitingKey, type UploadRow } from './upload-row.ts'

/**
 * What a file has beside it of the upload that it was made by: of others it is not taken, nor removed. Not the id, which whoever downloads
 * the file could ask for the upload with.
 */
export function markOf(id: string): Readonly<Record<string, string>> {
  return { [mark]: hash('sha256', id, 'hex').slice(0, 32) }
}

/** Whether a file was made by an upload. */
export function isOf({ metadata }: Pick<StoredObject, 'metadata'>, id: string): boolean {
  return metadata[mark] === markOf(id)[mark]
}

const mark = 'plimsoll-upload'

/** Removes what of an upload waits at the store; what is not there is no error. */
export async function removeWaiting({ postgres, store }: UploadParts, row: UploadRow): Promise<void> {
  const ref = storeRef(row)
  if (ref !== undefined) await store.uploads.abort(ref)
  const tails = row.received === 0 ? [] : (await ledger.parts(postgres, row.id)).filter(({ kind }) => kind === 'tail')
  await store.delete([waitingKey(row), ...tails.map(({ number }) => tailKey(row, number))])
}

/** The file of an upload, under the key that it has. */
interface UploadFile {
  readonly id: string
  readonly key: string
}

/** Whether a file is under its key that its upload has put there. */
export async function isThere(store: FileStore, { id, key }: UploadFile): Promise<boolean> {
  const made = await store.head(key)
  return made !== undefined && isOf(made, id)
}

/** Removes the file that an upload has put under a key; what is there of others stays. */
export async function removeFile(store: FileStore, file: UploadFile): Promise<void> {
  if (await isThere(store, file)) await store.delete([file.key])
}

/** Removes what an upload has left that has ended: of one that was refused the file as well. */
export async function removeLeft(parts: UploadParts, { row, key }: EndedUpload): Promise<void> {
  await removeWaiting(parts, row)
  if (row.state === 'refused' && key !== undefined) await removeFile(parts.store, { id: row.id, key })
  await ledger.markTidy(parts.postgres, row.id)
}

/** Removes an upload that is given up, with all that it has left. The row goes last: until then a sweep finds the rest. */
export async function removeUpload(parts: UploadParts, { row, key }: EndedUpload): Promise<void> {
  await removeWaiting(parts, row)
  if (key !== undefined) await removeFile(parts.store, { id: row.id, key })
  await ledger.remove(parts.postgres, row.id)
}
