import type { CompletedPart } from '@aws-sdk/client-s3'
import type { StoredObject } from '../../contract.ts'
import type { S3Client } from './s3-client.ts'

const gigabyte = 1024 ** 3

/** The most that one call copies. */
export const mostCopied = 5 * gigabyte
const atOnce = 4

/**
 * Copies objects, in their order, to the parts of an upload: each to one, or to several where it is too large for one. What the service has
 * been asked for cannot be called back, and a part that is done after its upload was ended stays, and costs: so when one fails, or the signal
 * aborts, those that are on their way are waited for.
 */
export async function copyInParts(
  s3: S3Client,
  sources: readonly StoredObject[],
  {
    at,
    sourceOf,
    signal,
  }: {
    readonly at: { readonly Bucket: string; readonly Key: string; readonly UploadId: string }
    readonly sourceOf: (key: string) => string
    readonly signal: AbortSignal | undefined
  },
): Promise<readonly CompletedPart[]> {
  const pieces = sources.filter(({ size }) => size > 0).flatMap(piecesOf)
  const parts: CompletedPart[] = []
  for (let n = 0; n < pieces.length; n += atOnce) {
    signal?.throwIfAborted()
    const some = pieces.slice(n, n + atOnce).map(async ({ source, range, bytes }, index) => {
      const PartNumber = n + index + 1
      const command = new s3.sdk.UploadPartCopyCommand({
        ...at,
        PartNumber,
        CopySource: sourceOf(source.key),
        CopySourceIfMatch: source.etag,
        CopySourceRange: range,
      })
      const { CopyPartResult } = await s3.send(command, { key: source.key, bytes })
      return { PartNumber, ETag: CopyPartResult?.ETag }
    })
    await Promise.allSettled(some)
    parts.push(...(await Promise.all(some)))
  }
  return parts
}

/** What becomes one part. */
interface Piece {
  readonly source: StoredObject
  readonly range: string | undefined
  readonly bytes: number
}

/** An object as pieces of one size, about, so that none is too small or too large to be a part. */
export function piecesOf(source: StoredObject): Piece[] {
  const { size } = source
  if (size <= mostCopied) return [{ source, range: undefined, bytes: size }]
  const count = Math.ceil(size / gigabyte)
  const each = Math.ceil(size / count)
  return Array.from({ length: count }, (_, n) => {
    const [first, last] = [n * each, Math.min(size, (n + 1) * each) - 1]
    return { source, range: `bytes=${first}-${last}`, bytes: last - first + 1 }
  })
}
