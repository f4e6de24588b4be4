import { isPlimsollError, PlimsollError, showValue } from '../../core/errors.ts'
import type { StoredPart, WrittenObject } from '../contract.ts'
import { ledger } from './ledger.ts'
import { isOf, isThere, markOf, removeLeft, removeWaiting } from './remove-upload.ts'
import { takeBack } from './take-back.ts'
import type { StoredUpload, UploadOutcome, UploadParts, UploadSpec } from './types.ts'
import {
  endedUpload,
  fromKept,
  incomplete,
  isRefusal,
  toKept,
  unknownUpload,
  type KeptRefusal,
} from './upload-errors.ts'
import { storeRef, waitingKey, type UploadRow } from './upload-row.ts'
import { unboundSums } from './bound-sum.ts'
import { verifyUpload } from './verify-upload.ts'

/** How long an upload that has ended is remembered: who asks again is told the same. */
const rememberMs = 7 * 86_400_000

/**
 * Makes a file of an upload whose bytes are all there. Whatever is killed between two of its steps, the next call goes on; whatever is
 * given up is removed by a sweep. In order:
 *
 * 1. The store makes one object of the parts, under the key where the upload waits.
 * 2. It is verified there. One that is refused is removed, and the row remembers why.
 * 3. The row notes the key that it will have, so that a sweep knows it, and the store copies the object to it.
 * 4. One transaction locks the row, runs `onStored` if no other call has, and ends the upload. Of calls at the same time one does. When it
 *    fails, the file is taken back from its key: the next call copies it again. A refusal of `onStored` ends the upload, as one of step 2.
 * 5. What has waited is removed.
 *
 * @throws PLIMSOLL_UPLOAD_INCOMPLETE, PLIMSOLL_UPLOAD_REFUSED, PLIMSOLL_UPLOAD_TYPE_REFUSED, PLIMSOLL_UPLOAD_NOT_FOUND; what `onStored` throws
 */
export async function completeUpload(parts: UploadParts, row: UploadRow, spec: UploadSpec): Promise<UploadOutcome> {
  const { postgres, store } = parts
  const before = endOf(row)
  if (before !== undefined) return before
  // Nobody sweeps it while it is verified.
  if ((await ledger.prolong(postgres, row.id, spec.keepMs)) === undefined) return await again(parts, row)
  try {
    const object = await makeWhole(parts, row)
    // What the storage has compared is not read for it again.
    const known = { ...row, ...(await unboundSums(parts.direct, row)) }
    const content = await verifyUpload(store, { row: known, spec, object })
    const { id, name, size, sha256, crc32c, owner } = row
    const file = { id, name, size, sha256, crc32c, owner, ...content }
    const key = await ledger.noteKey(postgres, id, spec.keyOf(file))
    if (key === undefined) return await again(parts, row)
    const facts = { type: content.type, ...spec.factsOf(file) }
    let outcome: UploadOutcome | undefined
    while (outcome === undefined) {
      const { etag } = await copy(parts, { id, from: object, key, facts })
      outcome = await conclude(parts, { row, spec, file: { ...file, key, etag } })
    }
    await removeWaiting(parts, row).then(
      () => ledger.markTidy(postgres, id),
      // A sweep does it.
      () => {},
    )
    return outcome
  } catch (error) {
    // Somebody else was quicker, perhaps, and what has waited is gone: the row knows.
    if (isPlimsollError(error, 'PLIMSOLL_FILE_NOT_FOUND')) return await again(parts, row)
    if (gone.some((code) => isPlimsollError(error, code))) return await again(parts, row, error)
    if (!isRefusal(error)) throw error
    const ended = await ledger.end(postgres, row.id, { state: 'refused', outcome: toKept(error), keepMs: rememberMs })
    // Somebody else was quicker, and was told otherwise.
    if (ended === undefined) return await again(parts, row, error)
    // A sweep does it.
    await removeLeft(parts, ended).catch(() => {})
    throw error
  }
}

/** What became of an upload that has ended; undefined of one that has not. */
function endOf(row: UploadRow): UploadOutcome | undefined {
  if (row.state === 'stored') return row.outcome as UploadOutcome
  if (row.state === 'refused') throw fromKept(row.outcome as KeptRefusal)
  if (row.state === 'removing') throw unknownUpload(row.id)
  return undefined
}

/** What is said of bytes that are not there, or not any more: some services call a file changed that is gone. */
const gone = ['PLIMSOLL_UPLOAD_INCOMPLETE', 'PLIMSOLL_UPLOAD_NOT_FOUND', 'PLIMSOLL_FILE_CHANGED'] as const

/** What has become of the upload meanwhile; `otherwise` is thrown when it has not ended. */
async function again(
  { postgres }: UploadParts,
  { id, route }: UploadRow,
  otherwise: unknown = incomplete('its bytes are not there'),
): Promise<UploadOutcome> {
  const row = await ledger.find(postgres, id, route)
  const end = row && endOf(row)
  if (end !== undefined) return end
  if (row === undefined) throw unknownUpload(id)
  throw otherwise
}

/** The object of all bytes. It may be there already: somebody has begun before. */
async function makeWhole(parts: UploadParts, row: UploadRow): Promise<WrittenObject> {
  const { store, postgres } = parts
  const there = await store.head(waitingKey(row))
  if (there !== undefined) return there
  if (row.kind === 'single') throw incomplete('its bytes are not there')
  if (row.kind !== 'parts' && row.received < row.size)
    throw incomplete(`there are ${row.received} of its ${row.size} bytes`)
  const ref = storeRef(row)
  if (ref === undefined) throw incomplete('none of its parts is there')
  const listed =
    row.kind === 'parts'
      ? await partsInPlace(parts, row)
      : (await ledger.parts(postgres, row.id)).filter(({ kind }) => kind === 'part')
  return store.uploads.complete(ref, listed)
}

/** The parts at the store, of which none is missing. */
async function partsInPlace({ store }: UploadParts, row: UploadRow): Promise<readonly StoredPart[]> {
  const listed = new Map((await store.uploads.parts(storeRef(row)!)).map((part) => [part.number, part]))
  const count = partCount(row)
  const missing: number[] = []
  for (let number = 1; number <= count; number++) {
    if (listed.get(number)?.size !== partSize(row, number)) missing.push(number)
  }
  if (missing.length > 0) {
    const named = missing.slice(0, 100)
    throw incomplete(`${missing.length} of ${count} parts are missing or of another size`, { missing: named })
  }
  return [...listed.values()].filter(({ number }) => number <= count).sort((a, b) => a.number - b.number)
}

/** In how many parts an upload comes. */
export function partCount({ size, partBytes }: Pick<UploadRow, 'size' | 'partBytes'>): number {
  return Math.max(1, Math.ceil(size / partBytes))
}

/** How large a part is. */
export function partSize(row: Pick<UploadRow, 'size' | 'partBytes'>, number: number): number {
  const count = partCount(row)
  return number < count ? row.partBytes : row.size - (count - 1) * row.partBytes
}

/** To a key of its own: what is there was put there by a call before this one, of the same bytes. @throws PLIMSOLL_FILE_EXISTS */
async function copy(
  { store }: UploadParts,
  {
    id,
    from,
    key,
    facts,
  }: {
    readonly id: string
    readonly from: WrittenObject
    readonly key: string
    readonly facts: { readonly type: string; readonly disposition: string; readonly cacheControl: string | undefined }
  },
): Promise<WrittenObject> {
  try {
    return await store.copy(from.key, key, { ...facts, metadata: markOf(id), ifAbsent: true })
  } catch (error) {
    if (!isPlimsollError(error, 'PLIMSOLL_FILE_EXISTS')) throw error
    const there = await store.head(key)
    if (there === undefined) throw error
    if (isOf(there, id)) return there
    throw new PlimsollError(
      'PLIMSOLL_FILE_EXISTS',
      `The file ${showValue(key)} is there already, and is not of this upload. The option 'key' has to give each upload a key of its own.`,
      { details: { key } },
    )
  }
}

/** Undefined, and nothing is done, when the file is not there any more: another call has taken it back. */
async function conclude(
  parts: UploadParts,
  { row, spec, file }: { readonly row: UploadRow; readonly spec: UploadSpec; readonly file: StoredUpload },
): Promise<UploadOutcome | undefined> {
  const { postgres, store } = parts
  try {
    return await postgres.transaction(async (transaction) => {
      const now = await ledger.lock(transaction, row.id)
      if (now === undefined) throw unknownUpload(row.id)
      if (now.state !== 'open') return endOf(now) ?? Promise.reject(endedUpload(now.state))
      const wasTakenBack = now.outcome !== undefined
      if (wasTakenBack && !(await isThere(store, file))) return undefined
      const result = await spec.onStored(file, transaction)
      // As who asks later will see it.
      const outcome = JSON.parse(JSON.stringify({ file, result: result ?? null })) as UploadOutcome
      await ledger.end(transaction, row.id, { state: 'stored', outcome, keepMs: rememberMs })
      return outcome
    })
  } catch (error) {
    // A sweep does it.
    await takeBack(parts, file).catch(() => {})
    throw error
  }
}
