import { createHash } from 'node:crypto'
import type { HeadObjectOutput } from '@aws-sdk/client-s3'
import { crc32cOf } from '../../checksums.ts'
import type { StoredObject } from '../../contract.ts'
import { defaultType, type CheckedFacts } from '../../object-facts.ts'

/** Facts as the service takes them. */
export function toHeaders({ type, cacheControl, disposition, metadata }: CheckedFacts): {
  ContentType: string
  CacheControl: string | undefined
  ContentDisposition: string | undefined
  Metadata: Record<string, string>
} {
  return { ContentType: type, CacheControl: cacheControl, ContentDisposition: disposition, Metadata: { ...metadata } }
}

/** The CRC-32C that an answer says; not one of the sums of parts. */
export function fromChecksums({
  ChecksumCRC32C,
  ChecksumType,
}: Pick<HeadObjectOutput, 'ChecksumCRC32C' | 'ChecksumType'>): string | undefined {
  return ChecksumType === 'COMPOSITE' ? undefined : crc32cOf(ChecksumCRC32C)
}

/** What a HEAD or GET says of an object; `size` where it is not in `ContentLength`, as with a range. */
export function fromHead(
  key: string,
  head: Pick<
    HeadObjectOutput,
    | 'ContentLength'
    | 'ETag'
    | 'ChecksumCRC32C'
    | 'ChecksumType'
    | 'ContentType'
    | 'LastModified'
    | 'CacheControl'
    | 'ContentDisposition'
    | 'Metadata'
  >,
  size: number = head.ContentLength ?? 0,
): StoredObject {
  return {
    key,
    size,
    etag: toEtag(head.ETag),
    crc32c: fromChecksums(head),
    type: head.ContentType ?? defaultType,
    modifiedAt: Math.floor((head.LastModified?.getTime() ?? 0) / 1000) * 1000,
    cacheControl: head.CacheControl,
    disposition: head.ContentDisposition,
    metadata: head.Metadata ?? {},
  }
}

/** With its quotes, which some services leave out of some answers. */
export function toEtag(text = ''): string {
  return text.startsWith('"') ? text : `"${text}"`
}

/** The ETag of an object that was made of parts: the MD5 of their MD5s, and how many there are. */
export function joinedEtag(etags: readonly string[]): string {
  const sums = etags.map((etag) => Buffer.from(etag.replaceAll('"', ''), 'hex'))
  return `"${createHash('md5').update(Buffer.concat(sums)).digest('hex')}-${etags.length}"`
}
