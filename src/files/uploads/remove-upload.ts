import { ledger } from './ledger.ts'
import type { UploadParts } from './types.ts'
import { storeRef, tailKey, waitingKey, type UploadRow } from './upload-row.ts'

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
  if (key !== undefined) await parts.store.delete([key])
  await ledger.remove(parts.postgres, row.id)
}
