import { isPlimsollError } from '../../core/errors.ts'
import type { FileStore } from '../contract.ts'
import { gathered } from '../file-body.ts'

/** Reads what was stored as JSON; undefined when nothing is there. */
export async function readStoredJson<T>(
  store: Pick<FileStore, 'get'>,
  key: string,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  try {
    const { stream } = await store.get(key, { signal })
    return JSON.parse((await gathered(stream)).toString()) as T
  } catch (error) {
    if (isPlimsollError(error, 'PLIMSOLL_FILE_NOT_FOUND')) return undefined
    throw error
  }
}
