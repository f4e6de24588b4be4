import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { FileStore } from '../contract.ts'
import { makeWorkFolder } from '../work-folder.ts'
import { imageError } from './image-error.ts'

/** An object as a file of this machine, for programs that read files, in a folder that is gone afterwards. */
export interface SpooledSource {
  readonly folder: string
  readonly file: string
  /** Of its bytes, in hexadecimal. */
  readonly sha256: string
  readonly etag: string
}

/**
 * Brings an object to this machine for as long as `work` takes.
 *
 * @throws PLIMSOLL_FILE_NOT_FOUND, PLIMSOLL_IMAGE_TOO_LARGE, PLIMSOLL_STORAGE_UNREACHABLE
 */
export async function withSpooledSource<T>(
  {
    store,
    key,
    maxBytes,
    signal,
  }: {
    readonly store: FileStore
    readonly key: string
    readonly maxBytes: number
    readonly signal?: AbortSignal | undefined
  },
  work: (source: SpooledSource) => Promise<T>,
): Promise<T> {
  const folder = await makeWorkFolder(tmpdir(), 'plimsoll-image-')
  try {
    const { stream, size, etag } = await store.get(key, { signal })
    if (size > maxBytes) {
      stream.destroy()
      throw imageError('PLIMSOLL_IMAGE_TOO_LARGE', `The image has ${size} bytes, and may have ${maxBytes}.`)
    }
    const file = join(folder, 'source')
    const digest = createHash('sha256')
    stream.on('data', (chunk: Buffer) => digest.update(chunk))
    await pipeline(stream, createWriteStream(file, { mode: 0o600 }), { signal })
    return await work({ folder, file, sha256: digest.digest('hex'), etag })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
