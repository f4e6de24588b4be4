import { isPlimsollError } from '../../../core/errors.ts'
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { fileCorrupt } from '../../file-errors.ts'
import type { GcsClient } from './gcs-client.ts'
import type { GcsSubject } from './gcs-errors.ts'
import type { GcsObject } from './gcs-objects.ts'
import { textOf } from './http-call.ts'
import type { PartReader } from '../../part-reader.ts'

/** What is held in memory; the service wants multiples of 256 KB. */
export const chunkBytes = 8 * 1024 * 1024
const attempts = 5

/**
 * Stores a stream by the protocol of resumable uploads: chunk by chunk, each answered by 308 and how far the service has got, the last one by the
 * object. A chunk that fails is sent again from where the service says that it is.
 */
export async function putResumable(
  gcs: GcsClient,
  session: URL,
  {
    reader,
    first,
    subject,
    signal,
  }: {
    readonly reader: PartReader
    readonly first: { readonly bytes: Buffer; readonly last: boolean }
    readonly subject: GcsSubject
    readonly signal: AbortSignal | undefined
  },
): Promise<GcsObject> {
  const hash = createHash('md5')
  const send = (range: string, body: Buffer): Promise<IncomingMessage> =>
    gcs.send({
      ...subject,
      method: 'PUT',
      path: session.pathname + session.search,
      headers: { 'content-range': range },
      body,
      signal,
      accepts: [308],
    })
  let at = 0
  for (let chunk = first; ; chunk = await reader.next(chunkBytes)) {
    const { bytes, last } = chunk
    hash.update(bytes)
    const total = last ? String(at + bytes.length) : '*'
    for (let sent = 0, attempt = 1; ;) {
      const rest = bytes.subarray(sent)
      const range = rest.length === 0 ? `bytes */${total}` : `bytes ${at + sent}-${at + bytes.length - 1}/${total}`
      const answer = await send(range, rest).catch(async (error: unknown) => {
        if (!isPlimsollError(error, 'PLIMSOLL_STORAGE_UNREACHABLE') || attempt++ >= attempts) throw error
        return send(`bytes */${total}`, Buffer.alloc(0))
      })
      const text = await textOf(answer)
      if (answer.statusCode !== 308) return checked(JSON.parse(text) as GcsObject, hash.digest('base64'), subject.key)
      const before = sent
      sent = reached(answer) - at
      if (sent < 0) throw fileCorrupt(subject.key ?? '', 'the storage has lost some of those that it had')
      if (sent === bytes.length && !last) break
      if (sent > before && sent < bytes.length) continue
      if (attempt++ >= attempts) throw fileCorrupt(subject.key ?? '', 'the storage does not go on with the upload')
    }
    at += bytes.length
  }
}

/** How many bytes the service has. */
function reached({ headers }: IncomingMessage): number {
  const [, last] = /bytes=0-(\d+)/.exec(headers['range'] ?? '') ?? []
  return last === undefined ? 0 : Number(last) + 1
}

function checked(object: GcsObject, md5: string, key = ''): GcsObject {
  if (object.md5Hash !== undefined && object.md5Hash !== md5) throw fileCorrupt(key, 'their MD5 is another one')
  return object
}
