import type { FileStore } from '../contract.ts'
import { workFolder } from './work-files.ts'

/** Which files of encodes are too old. */
export interface SweepWorkOptions {
  /** Epoch milliseconds: what nothing was added to since is given up. */
  readonly before: number
  readonly signal?: AbortSignal | undefined
}

/** Removes the files of encodes that have failed, and that nobody has gone on with. Resolves to how many encodes that were. */
export async function sweepWork(
  store: Pick<FileStore, 'list' | 'delete'>,
  { before, signal }: SweepWorkOptions,
): Promise<number> {
  let removed = 0
  let work = { prefix: '', keys: [] as string[], newest: 0 }
  const end = async (): Promise<void> => {
    if (work.keys.length === 0 || work.newest >= before) return
    await store.delete(work.keys)
    removed++
  }
  // Those of one encode are listed one after the other.
  for (let after: string | undefined; ;) {
    signal?.throwIfAborted()
    const { objects, next } = await store.list(workFolder, { after })
    for (const { key, modifiedAt } of objects) {
      const prefix = key.slice(0, key.lastIndexOf('/'))
      if (prefix !== work.prefix) {
        await end()
        work = { prefix, keys: [], newest: 0 }
      }
      work.keys.push(key)
      work.newest = Math.max(work.newest, modifiedAt)
    }
    if (next === undefined) break
    after = next
  }
  await end()
  return removed
}
