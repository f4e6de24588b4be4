import { hash } from 'node:crypto'
import type { StoredObject } from '../contract.ts'
import { ledger } from './ledger.ts'
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

/** Removes an upload that is given up, with all that it has left. The row goes last: until then a sweep finds the rest. */
export async function removeUpload(
  parts: UploadParts,
  { row, key }: { readonly row: UploadRow; readonly key: string | undefined },
): Promise<void> {
  await removeWaiting(parts, row)
  const made = key === undefined ? undefined : await parts.store.head(key)
  if (made !== undefined && isOf(made, row.id)) await parts.store.delete([made.key])
  await ledger.remove(parts.postgres, row.id)
}
