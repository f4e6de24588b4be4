import { hash } from 'node:crypto'
import { isPlimsollError } from '../../core/errors.ts'
import { ledger } from './ledger.ts'
import { removeUpload } from './remove-upload.ts'
import type { UploadParts, WantedUpload } from './types.ts'
import { endedUpload, incomplete } from './upload-errors.ts'
import { storeRef, waitingKey, type UploadRow } from './upload-row.ts'

/** An upload that is to be made of others. */
export interface WantedJoin extends Pick<WantedUpload, 'name' | 'type'> {
  /** The ids of its pieces, in their order. */
  readonly pieces: readonly string[]
  /** Whose the pieces are. */
  readonly owner: string | undefined
  /** Whose it will be, once it is known how large it is; what it throws refuses it. */
  ownerOf(wanted: WantedUpload): Promise<string | undefined>
}

/**
 * The id of an upload that is made of others. The same words have the same: a client that has not heard the answer asks again, and its
 * upload is made once. Whoever does not know the pieces cannot know it.
 */
export function joinedId(route: string, { name, type, pieces }: WantedJoin): string {
  return hash('sha256', JSON.stringify([route, name, type, ...pieces]), 'base64url').slice(0, 16)
}

/** Makes one object of an upload that is a piece of another, when all its bytes are there and it is not yet: the row as it is then. */
export async function finishPiece({ postgres, store }: UploadParts, row: UploadRow): Promise<UploadRow> {
  if (row.kind !== 'partial' || row.state !== 'open' || row.received < row.size) return row
  const parts = (await ledger.parts(postgres, row.id)).filter(({ kind }) => kind === 'part')
  const ref = storeRef(row)
  if (ref === undefined) throw incomplete('none of its parts is there')
  if ((await store.head(waitingKey(row))) === undefined) await store.uploads.complete(ref, parts)
  const whole = await ledger.setReceived(postgres, row.id, 'whole')
  return whole ?? { ...row, state: 'whole' }
}

/** @throws PLIMSOLL_UPLOAD_INCOMPLETE, PLIMSOLL_UPLOAD_ENDED */
export function checkPieces(pieces: readonly UploadRow[]): void {
  const unfit = pieces.find(({ kind, state }) => kind !== 'partial' || (state !== 'whole' && state !== 'open'))
  if (unfit !== undefined) throw endedUpload(unfit.state)
  const open = pieces.find(({ state }) => state === 'open')
  if (open !== undefined) throw incomplete(`there are ${open.received} of ${open.size} bytes of its piece '${open.id}'`)
}

/**
 * Makes the bytes of an upload of those of others, in their order, within the store.
 *
 * @throws PLIMSOLL_FILE_NOT_FOUND when a piece is removed meanwhile
 */
export async function joinUploads(
  { postgres, store }: UploadParts,
  row: UploadRow,
  pieces: readonly UploadRow[],
): Promise<void> {
  const key = waitingKey(row)
  await store.compose(pieces.map(waitingKey), key, { type: row.type, ifAbsent: true }).catch((error: unknown) => {
    // Another request has joined the same.
    if (!isPlimsollError(error, 'PLIMSOLL_FILE_EXISTS')) throw error
  })
  // Nobody else would remove what has come too late.
  if ((await ledger.setReceived(postgres, row.id, 'open')) === undefined) await store.delete([key])
}

/** Removes what others were made of. */
export async function removePieces(parts: UploadParts, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const given = await ledger.giveUp(parts.postgres, id)
    // A sweep does it.
    if (given !== undefined) await removeUpload(parts, given).catch(() => {})
  }
}
