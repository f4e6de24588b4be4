import { isPlimsollError } from '../../core/errors.ts'
import { ledger } from './ledger.ts'
import { removeLeft, removeUpload } from './remove-upload.ts'
import type { UploadParts } from './types.ts'
import { waitingFolder } from '../internal-folders.ts'

/** How long a sweep may take before another process begins one. */
const leaseMs = 600_000
const batch = 100
/** What is at the store without a row is removed when it is so old: a row is there before anything else. */
const defaultStrayMs = 2 * 86_400_000

/** What a sweep has removed. */
export interface Sweep {
  /** Uploads that were given up. */
  readonly uploads: number
  /** What lay at the store, and no upload knew of. */
  readonly strays: number
}

/** How a sweep goes. */
export interface SweepOptions {
  /** How long no other process begins one after it. */
  readonly restMs: number
  /** How old something is that no upload knows of before it is removed, in milliseconds. Default 2 days. */
  readonly strayMs?: number | undefined
  /** Ends it where it is; then another one may begin at once. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Removes uploads that nobody goes on with, what completed ones have left, and what lies where uploads wait without being one's. One
 * process at a time does, and fails in the end when some of it could not be; undefined when another one is at it, or was within `restMs`.
 */
export async function sweepUploads(
  parts: UploadParts,
  { restMs, strayMs = defaultStrayMs, signal }: SweepOptions,
): Promise<Sweep | undefined> {
  const { postgres } = parts
  if (!(await ledger.takeSweep(postgres, leaseMs))) return undefined
  let uploads = 0
  const failures: unknown[] = []
  const isOver = (): boolean => signal?.aborted === true
  for (let more = true; more && !isOver();) {
    const given = await ledger.takeGivenUp(postgres, leaseMs, batch)
    for (const up of given) if (!isOver() && (await isDone(removeUpload(parts, up), failures))) uploads++
    more = given.length === batch
  }
  for (const up of await ledger.findUntidy(postgres, batch))
    if (!isOver()) await isDone(removeLeft(parts, up), failures)
  await ledger.forgetStored(postgres)
  const before = Date.now() - strayMs
  const strays =
    (await removeStrayUploads(parts, { before, isOver })) + (await removeStrayObjects(parts, { before, isOver }))
  await ledger.restSweep(postgres, isOver() ? 0 : restMs)
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

interface Bounds {
  /** What is younger stays. In epoch milliseconds. */
  readonly before: number
  isOver(): boolean
}

/** Uploads in parts whose id was never noted: their process ended in between. */
async function removeStrayUploads({ postgres, store }: UploadParts, { before, isOver }: Bounds): Promise<number> {
  let removed = 0
  if (isOver()) return removed
  for await (const { key, id, createdAt } of store.uploads.list(waitingFolder)) {
    if (isOver()) break
    if (createdAt > before) continue
    const name = ownerOf(key)
    if ((await ledger.known(postgres, [name])).has(name)) continue
    await store.uploads.abort({ key, id })
    removed++
  }
  return removed
}

/** Bytes that came by an address which was valid for longer than its upload. */
async function removeStrayObjects({ postgres, store }: UploadParts, { before, isOver }: Bounds): Promise<number> {
  let removed = 0
  let after: string | undefined
  do {
    if (isOver()) break
    const { objects, next } = await store.list(waitingFolder, { after })
    const old = objects.filter(({ modifiedAt }) => modifiedAt < before).map(({ key }) => key)
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
