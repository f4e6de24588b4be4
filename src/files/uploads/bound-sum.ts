import type { Checksums, DirectAccess } from '../contract.ts'
import type { UploadRow } from './upload-row.ts'

/** That of the checksums which a signed request is bound to: the stronger one of those that the storage compares, for not all take two. */
export async function boundSum(
  { sha256, crc32c }: Checksums,
  comparedBy: () => Promise<readonly (keyof Checksums)[]>,
): Promise<Checksums> {
  // A storage may have to be asked.
  if ((sha256 ?? crc32c) === undefined) return {}
  const compared = await comparedBy()
  if (sha256 !== undefined && compared.includes('sha256')) return { sha256 }
  if (crc32c !== undefined && compared.includes('crc32c')) return { crc32c }
  return {}
}

/** The checksums that were announced, but for the one of which other bytes cannot have come. */
export async function unboundSums(direct: DirectAccess, { kind, sha256, crc32c }: UploadRow): Promise<Checksums> {
  if (kind !== 'single') return { sha256, crc32c }
  const bound = await boundSum({ sha256, crc32c }, () => direct.checksumsOfPuts())
  return { sha256: bound.sha256 ? undefined : sha256, crc32c: bound.crc32c ? undefined : crc32c }
}
