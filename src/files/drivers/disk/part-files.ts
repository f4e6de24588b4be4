import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { StoredPart } from '../../contract.ts'
import { ifThere } from './disk-errors.ts'
import { hasEnded } from './process-mark.ts'

/** The file of an upload that parts are written into at their places. */
export const wholeName = 'whole'

/**
 * A part of an upload, whose name is its ETag. Its bytes are the file `<number>.<size>.<name>`; or they lie in the upload's whole file from
 * `offset` on, and the file `<number>.<size>.<name>.<offset>` says so and is empty.
 */
export interface PartFile extends StoredPart {
  readonly path: string
  readonly offset: number | undefined
}

/** A place in the whole file that a process writes to: the file `<number>.<size>.<name>.<offset>.<mark of the process>`. */
export interface PartClaim {
  readonly path: string
  readonly size: number
  readonly offset: number
  /** False as long as the process may write. */
  readonly ended: boolean
}

/** What there is of an upload; nothing of one that has ended. */
export async function readParts(
  folder: string,
): Promise<{ readonly parts: readonly PartFile[]; readonly claims: readonly PartClaim[] }> {
  const parts: PartFile[] = []
  const claims: PartClaim[] = []
  for (const file of (await ifThere(readdir(folder))) ?? []) {
    const [, number, bytes, name, place, mark] = form.exec(file) ?? []
    if (name === undefined) continue
    const path = join(folder, file)
    const size = Number(bytes)
    const offset = place === undefined ? undefined : Number(place)
    if (mark === undefined) parts.push({ number: Number(number), size, etag: `"${name}"`, path, offset })
    else claims.push({ path, size, offset: offset!, ended: hasEnded(mark) === true })
  }
  return { parts, claims }
}

const form = /^(\d+)\.(\d+)\.([0-9a-f]{32})(?:\.(\d+)(?:\.(.+))?)?$/
