import { ledger } from './ledger.ts'
import { removeUpload } from './remove-upload.ts'
import type { UploadParts } from './types.ts'
import { endedUpload, incomplete } from './upload-errors.ts'
import { storeRef, waitingKey, type UploadRow } from './upload-row.ts'

/** Makes one object of an upload that is a piece of another, once all its bytes are there. */
export async function makePiece({ postgres, store }: UploadParts, row: UploadRow): Promise<void> {
  const parts = (await ledger.parts(postgres, row.id)).filter(({ kind }) => kind === 'part')
  const ref = storeRef(row)
  if (ref === undefined) throw incomplete('none of its parts is there')
  if ((await store.head(waitingKey(row))) === undefined) await store.uploads.complete(ref, parts)
  await ledger.setReceived(postgres, row.id, 'whole')
}

/**
 * Makes the bytes of an upload of those of others, in their order, within the store.
 *
 * @throws PLIMSOLL_UPLOAD_INCOMPLETE, PLIMSOLL_UPLOAD_ENDED
 */
export async function joinUploads(parts: UploadParts, row: UploadRow, pieces: readonly UploadRow[]): Promise<void> {
  const { postgres, store } = parts
  const unfit = pieces.find(({ kind, state }) => kind !== 'partial' || (state !== 'whole' && state !== 'open'))
  if (unfit !== undefined) throw endedUpload(unfit.state)
  const open = pieces.find(({ state }) => state === 'open')
  if (open !== undefined) throw incomplete(`there are ${open.received} of ${open.size} bytes of its piece '${open.id}'`)
  await store.compose(pieces.map(waitingKey), waitingKey(row), { type: row.type })
  await ledger.setReceived(postgres, row.id, 'open')
}

/** Removes what others were made of. */
export async function removePieces(parts: UploadParts, pieces: readonly UploadRow[]): Promise<void> {
  for (const { id } of pieces) {
    const given = await ledger.giveUp(parts.postgres, id)
    // A sweep does it.
    if (given !== undefined) await removeUpload(parts, given).catch(() => {})
  }
}
