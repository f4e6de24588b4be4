import { isPlimsollError } from '../../core/errors.ts'
import type { Checksums, DirectAccess, SignedRequest } from '../contract.ts'
import { waitingKey, type UploadRow } from './upload-row.ts'

/** How long a signed request holds: a part takes minutes at most, and another one can be had. */
export const signedMs = 3_600_000

/** A request that sends all bytes of an upload. */
export interface SignedWhole {
  readonly request: SignedRequest
  /** The checksums whose bytes alone the storage takes. */
  readonly bound: Checksums
}

/** Signs a request that sends all bytes of an upload: for those of the checksums that were announced, as far as the storage compares them. */
export async function signWhole(direct: DirectAccess, row: UploadRow): Promise<SignedWhole> {
  const { size, type, sha256, crc32c } = row
  const [key, options] = [waitingKey(row), { expires: signedMs, size, type, once: true }]
  // Google's storage compares no SHA-256, and Amazon's S3 one of the two.
  const choices = [{ sha256, crc32c }, { sha256 }, { crc32c }]
  for (const bound of choices.filter((sums) => Object.values(sums).every((sum) => sum !== undefined))) {
    try {
      return { request: await direct.signPut(key, { ...options, ...bound }), bound }
    } catch (error) {
      if (!isPlimsollError(error, 'PLIMSOLL_FEATURE_UNSUPPORTED')) throw error
    }
  }
  return { request: await direct.signPut(key, options), bound: {} }
}

/**
 * The checksums that were announced, but for those of which other bytes cannot have come. Which ones a store compares does not change: what
 * was signed for them is what would be signed now.
 */
export async function unboundSums(direct: DirectAccess, row: UploadRow): Promise<Checksums> {
  const { kind, sha256, crc32c } = row
  if (kind !== 'single' || (sha256 ?? crc32c) === undefined) return { sha256, crc32c }
  const { bound } = await signWhole(direct, row)
  return { sha256: bound.sha256 ? undefined : sha256, crc32c: bound.crc32c ? undefined : crc32c }
}
