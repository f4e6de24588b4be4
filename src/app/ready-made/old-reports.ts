import type { FileStore } from '../../files/contract.ts'

/** The fact of a file that names the report which has written it. */
export const reportFact = 'report'

/** Which files are too old. */
export interface OldReportsOptions {
  /** What their keys begin with, up to a slash. */
  readonly folder: string
  /** The name of the report; files of others in the folder are left alone. */
  readonly name: string
  /** Epoch milliseconds; what was written before is removed. */
  readonly before: number
  readonly signal: AbortSignal
  /** Told how many were removed so far. */
  readonly onRemoved?: ((count: number) => void) | undefined
}

const atOnce = 8

/**
 * Removes the files of a report that are too old; resolves to how many. It goes by what is stored, so that a file is found whose job was
 * killed before it could say that there is one, and a run that breaks off is made up for by the next.
 */
export async function removeOldReports(
  store: Pick<FileStore, 'list' | 'head' | 'delete'>,
  { folder, name, before, signal, onRemoved }: OldReportsOptions,
): Promise<number> {
  let removed = 0
  let after: string | undefined
  do {
    signal.throwIfAborted()
    const { objects, next } = await store.list(`${folder}/`, { after })
    const old = objects.filter(({ modifiedAt }) => modifiedAt < before).map(({ key }) => key)
    for (let first = 0; first < old.length; first += atOnce) {
      const keys = old.slice(first, first + atOnce)
      const found = await Promise.all(keys.map((key) => store.head(key, { signal })))
      // A run that was tried again may have written it anew.
      const own = found.filter((file) => file?.metadata[reportFact] === name && file.modifiedAt < before)
      if (own.length > 0) await store.delete(own.map((file) => file!.key))
      removed += own.length
      onRemoved?.(removed)
    }
    after = next
  } while (after !== undefined)
  return removed
}
