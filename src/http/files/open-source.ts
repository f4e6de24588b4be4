import type { Readable } from 'node:stream'
import type { FileStore, StoredObject } from '../../files/contract.ts'
import { isPlimsollError } from '../../core/errors.ts'
import type { ByteRange } from './byte-ranges.ts'
import { LocalBody } from './local-body.ts'

/** Where files come from. */
export type FileSource = Pick<FileStore, 'get' | 'head' | 'features'>

/** A file of which it is known what it is, and that can be read. */
export interface OpenSource {
  readonly object: StoredObject
  /** Its bytes, or a part of them, of that very object. @throws PLIMSOLL_FILE_CHANGED */
  read(range: ByteRange | undefined, signal: AbortSignal): Promise<Readable>
  close(): void
}

/** Opens what a key has: on disk the file itself, so that it is looked up once; elsewhere by asking what there is. Undefined for nothing. */
export async function openSource(store: FileSource, key: string): Promise<OpenSource | undefined> {
  const { openFile } = store.features
  if (openFile === undefined) {
    const object = await store.head(key)
    return (
      object && {
        object,
        read: async (range, signal) => (await store.get(key, { range, ifMatch: object.etag, signal })).stream,
        close: () => {},
      }
    )
  }
  const opened = await openFile(key).catch((error: unknown) => {
    if (isPlimsollError(error, 'PLIMSOLL_FILE_NOT_FOUND')) return undefined
    throw error
  })
  if (opened === undefined) return undefined
  const { object, file, release } = opened
  return {
    object,
    read: async (range) => new LocalBody(file, range ?? { first: 0, last: object.size - 1 }),
    close: release,
  }
}
