import { isPlimsollError } from '../../core/errors.ts'
import { ledger } from './ledger.ts'
import { removeUpload, removeWaiting } from './remove-upload.ts'
import type { UploadParts } from './types.ts'
import { waitingFolder } from './upload-row.ts'

/** How long a sweep may take before another process begins one. */
const leaseMs = 600_000
const batch = 100
/** What is at the store without a row is removed when it is so old: a row is there before anything else. */
const strayMs = 2 * 86_400_000

/** What a sweep has removed. */
export interface Sweep {
  /** Uploads that were given up. */
  readonly uploads: number
  /** What lay at the store, and no upload knew of. */
  readonly strays: number
}

/**
 * Removes uploads that nobody goes on with, what completed ones have left, and what lies where uploads wait without being one's. One
 * process at a time does, and fails in the end when some of it could not be; undefined when another one is at it, or was within `restMs`.
 */
export async function sweepUploads(
  parts: UploadParts,
  { restMs }: { readonly restMs: number },
): Promise<Sweep | undefined> {
  const { postgres } = parts
  if (!(await ledger.takeSweep(postgres, leaseMs))) return undefined
  let uploads = 0
  const failures: unknown[] = []
  for (;;) {
    const given = await ledger.takeGivenUp(postgres, leaseMs, batch)
    for (const up of given) if (await isDone(removeUpload(parts, up), failures)) uploads++
    if (given.length < batch) break
  }
  for (const row of await ledger.findUntidy(postgres, batch)) {
    if (await isDone(removeWaiting(parts, row), failures)) await ledger.markTidy(postgres, row.id)
  }
  await ledger.forgetStored(postgres)
  const strays = (await removeStrayUploads(parts)) + (await removeStrayObjects(parts))
  await ledger.restSweep(postgres, restMs)
  if (failures.length > 0) throw failures[0]
  return { uploads, strays }
}

/** False when it has failed, which is noted: one that cannot be removed, such as a locked object, keeps no other from being. */
async function isDone(work: Promise<void>, failures: unknown[]): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (isPlimsollError(error, 'PLIMSOLL_STORAGE_UNREACHABLE')) throw error
    failures.push(error)
    return false
  }
}

/** Uploads in parts whose id was never noted: their process ended in between. */
async function removeStrayUploads({ postgres, store }: UploadParts): Promise<number> {
  let removed = 0
  for await (const { key, id, createdAt } of store.uploads.list(waitingFolder)) {
    if (createdAt > Date.now() - strayMs) continue
    const name = ownerOf(key)
    if ((await ledger.known(postgres, [name])).has(name)) continue
    await store.uploads.abort({ key, id })
    removed++
  }
  return removed
}

/** Bytes that came by an address which was valid for longer than its upload. */
async function removeStrayObjects({ postgres, store }: UploadParts): Promise<number> {
  let removed = 0
  let after: string | undefined
  do {
    const { objects, next } = await store.list(waitingFolder, { after })
    const old = objects.filter(({ modifiedAt }) => modifiedAt < Date.now() - strayMs).map(({ key }) => key)
    const known = old.length === 0 ? new Set() : await ledger.known(postgres, old.map(ownerOf))
    const strays = old.filter((key) => !known.has(ownerOf(key)))
    if (strays.length > 0) await store.delete(strays)
    removed += strays.length
    after = next
  } while (after !== undefined)
  return removed
}

/** The id of the upload that a key belongs to. */
function ownerOf(key: string): string {
  return key.slice(waitingFolder.length).split('.', 1)[0]!
}
