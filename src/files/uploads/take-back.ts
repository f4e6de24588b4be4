import { ledger } from './ledger.ts'
import { removeFile } from './remove-upload.ts'
import type { UploadParts } from './types.ts'

/**
 * Removes the file of an upload that could not be stored, from the key that it was to have: whoever knows that could read it. Another
 * process may be about to store the same upload, and has found its file there. So, in order:
 *
 * 1. The row notes that the file may be gone. Who stores the upload from here on looks first, under the lock of the row.
 * 2. Under the same lock the file is removed, unless somebody has stored the upload meanwhile.
 */
export async function takeBack(
  { postgres, store }: UploadParts,
  file: { readonly id: string; readonly key: string },
): Promise<void> {
  await ledger.noteTakenBack(postgres, file.id)
  await postgres.transaction(async (transaction) => {
    const now = await ledger.lock(transaction, file.id)
    if (now?.state !== 'stored') await removeFile(store, file)
  })
}
