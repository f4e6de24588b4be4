import { fileTooLarge } from '../../file-errors.ts'
import type { PartReader } from '../../part-reader.ts'

/** How a multipart upload is made. */
export interface MultipartCalls<P> {
  uploadPart(number: number, bytes: Buffer, signal: AbortSignal): Promise<P>
}

const megabyte = 1024 * 1024

/** The most that a stream of unknown length can have; with its length known, all that the service takes. */
export const mostUnknownBytes = 390 * 1024 * megabyte
const mostParts = 10_000
/** What has to fit into one call: less is stored by one. */
export const wholeBytes = 8 * megabyte
/** How many bytes are on their way at once, about. */
const inFlightBytes = 32 * megabyte

/**
 * How large part `number` is: 8 MB, of longer streams 32 and 64, so that 10000 of them hold 390 GB and never more than two or four are in memory.
 * Where the length is known all parts are of one size, which some services ask for.
 */
export function partSize(number: number, total: number | undefined): number {
  if (total !== undefined) return Math.max(wholeBytes, Math.ceil(total / mostParts / megabyte) * megabyte)
  return number <= 2000 ? wholeBytes : number <= 6000 ? 4 * wholeBytes : 8 * wholeBytes
}

/** Sends the parts of a stream, several at once; the first one was read already. Resolves to what came of each, in order. */
export async function sendParts<P>(
  reader: PartReader,
  first: { readonly bytes: Buffer; readonly last: boolean },
  {
    key,
    total,
    failed,
    uploadPart,
  }: MultipartCalls<P> & {
    readonly key: string
    readonly total: number | undefined
    /** Aborted when a part fails, so that nobody waits for the rest of the stream. */
    readonly failed: AbortController
  },
): Promise<readonly P[]> {
  const parts: P[] = []
  const flying = new Set<Promise<void>>()
  let part = first
  try {
    for (let number = 1; ; number++) {
      if (number > mostParts) throw fileTooLarge(key, mostUnknownBytes)
      const { bytes, last } = part
      const flight: Promise<void> = uploadPart(number, bytes, failed.signal)
        .then((done) => {
          parts[number - 1] = done
        })
        .catch((error: unknown) => failed.abort(error))
        .finally(() => flying.delete(flight))
      flying.add(flight)
      if (last) break
      while (flying.size >= Math.max(1, Math.floor(inFlightBytes / bytes.length))) await Promise.race(flying)
      failed.signal.throwIfAborted()
      part = await reader.next(partSize(number + 1, total))
    }
  } finally {
    await Promise.all(flying)
  }
  failed.signal.throwIfAborted()
  return parts
}
