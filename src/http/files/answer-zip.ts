import { PassThrough, type Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { ZipFile } from 'yazl'
import { PlimsollError } from '../../core/errors.ts'
import { isInternal } from '../../files/internal-folders.ts'
import type { StoredObject } from '../../files/contract.ts'
import { untilGone } from './answer-file.ts'
import { contentDisposition } from './content-disposition.ts'
import type { FileSource } from './open-source.ts'
import { zipNames } from './zip-names.ts'

/** A file of an archive. */
export interface ZipEntry {
  readonly key: string
  /** Its path in the archive, which is sanitised and made unique. Default: the last part of the key. */
  readonly name?: string | undefined
}

/** What `reply.zip` is told. */
export interface ZipOptions {
  /** The name of the archive. Default `'files.zip'`. */
  readonly name?: string | undefined
}

const mostEntries = 10_000
/** How many files are looked up at a time. */
const lookups = 16
/** The least that a file's time can be in an archive: the first day of 1980. */
const firstDay = Date.UTC(1980, 0, 2)

/**
 * Answers with an archive of many files: stored, not compressed, so that its length is known before; larger than 4 GB where it has to
 * be (zip64). One file after the other is read as the client takes it, and none any more when it is gone.
 *
 * @throws PLIMSOLL_FILE_NOT_FOUND naming the first that is not there, before anything is sent; PLIMSOLL_OPTION_INVALID for more than 10,000 files
 */
export async function answerZip(
  reply: FastifyReply,
  {
    source,
    entries,
    name = 'files.zip',
  }: ZipOptions & { readonly source: Pick<FileSource, 'get' | 'head'>; readonly entries: readonly ZipEntry[] },
): Promise<FastifyReply> {
  if (entries.length > mostEntries) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `An archive holds up to ${mostEntries} files, not ${entries.length}.`,
      {
        details: { option: 'entries' },
      },
    )
  }
  const signal = untilGone(reply)
  const objects = await lookUp(source, entries, signal)
  const names = zipNames(entries.map((entry) => entry.name ?? entry.key.slice(entry.key.lastIndexOf('/') + 1)))
  const isHead = reply.request.method === 'HEAD'
  const zip = new ZipFile()
  const body = new PassThrough()
  let reading: Readable | undefined
  const fail = (error: unknown): void => void body.destroy(error as Error)
  zip.on('error', fail)
  for (const [at, object] of objects.entries()) {
    const options = {
      compress: false,
      size: object.size,
      mtime: new Date(Math.max(object.modifiedAt, firstDay)),
      mode: 0o100644,
    }
    zip.addReadStreamLazy(names[at]!, options, (callback) => {
      if (isHead) return
      source.get(object.key, { ifMatch: object.etag, signal }).then(({ stream }) => {
        reading = stream
        // yazl pipes it on, which hands no errors on.
        stream.once('error', fail)
        callback(null, stream)
      }, fail)
    })
  }
  const { promise: length, resolve } = Promise.withResolvers<number>()
  // Typed without what it is called with.
  zip.end({ forceZip64Format: false, comment: '' }, resolve as () => void)
  // Fastify listens after all hooks have run.
  body.on('error', () => {}).once('close', () => reading?.destroy())
  // Fastify reads what it answers a HEAD with to its end, to throw it away.
  if (isHead) body.end()
  else zip.outputStream.pipe(body)
  return reply
    .header('content-type', 'application/zip')
    .header('content-length', await length)
    .header('content-disposition', contentDisposition('attachment', name))
    .header('cache-control', 'private, no-store')
    .header('x-content-type-options', 'nosniff')
    .send(body)
}

/** What is known of all files, in their order. */
async function lookUp(
  source: Pick<FileSource, 'get' | 'head'>,
  entries: readonly ZipEntry[],
  signal: AbortSignal,
): Promise<readonly StoredObject[]> {
  const found: StoredObject[] = []
  for (let at = 0; at < entries.length; at += lookups) {
    const keys = entries.slice(at, at + lookups).map(({ key }) => key)
    const objects = await Promise.all(
      keys.map(async (key) => (isInternal(key, source) ? undefined : source.head(key, { signal }))),
    )
    const missing = objects.indexOf(undefined)
    if (missing >= 0) throw new PlimsollError('PLIMSOLL_FILE_NOT_FOUND', `There is no file '${keys[missing]}'.`)
    found.push(...(objects as StoredObject[]))
  }
  return found
}
