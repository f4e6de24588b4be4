import type { FileStore } from '../contract.ts'
import { planName, type EncodePlan } from './encode-plan.ts'
import { tracksName } from './finished-packages.ts'
import { dashName, hlsName } from './pack.ts'
import { readStoredJson } from './stored-json.ts'
import { workFolder } from '../internal-folders.ts'
import { listAll } from './work-files.ts'

/** Which files of encodes are too old. */
export interface SweepWorkOptions {
  /** Epoch milliseconds: what nothing was added to since is given up. */
  readonly before: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Removes the files of encodes that have failed, and that nobody has gone on with, and what was stored of their packages. Resolves to how many
 * encodes that were.
 */
export async function sweepWork(
  store: Pick<FileStore, 'list' | 'get' | 'delete'>,
  { before, signal }: SweepWorkOptions,
): Promise<number> {
  let removed = 0
  let work = { prefix: '', keys: [] as string[], newest: 0 }
  const end = async (): Promise<void> => {
    if (work.keys.length === 0 || work.newest >= before) return
    const plan = await readStoredJson<EncodePlan>(store, `${work.prefix}/${planName}`, signal)
    if (plan?.prefix !== undefined) await removeBegun(store, { prefix: plan.prefix, before, signal })
    await store.delete(work.keys)
    removed++
  }
  // Those of one encode are listed one after the other.
  for await (const { key, modifiedAt } of listAll(store, workFolder, signal)) {
    const prefix = key.slice(0, key.lastIndexOf('/'))
    if (prefix !== work.prefix) {
      await end()
      work = { prefix, keys: [], newest: 0 }
    }
    work.keys.push(key)
    work.newest = Math.max(work.newest, modifiedAt)
  }
  await end()
  return removed
}

/** Removes what there is of a package, unless it has a manifest, which is stored last, or somebody has gone on with it. */
export async function removeBegun(
  store: Pick<FileStore, 'list' | 'delete'>,
  { prefix, before, signal }: SweepWorkOptions & { readonly prefix: string },
): Promise<void> {
  const keys: string[] = []
  for await (const { key, modifiedAt } of listAll(store, `${prefix}/`, signal)) {
    const name = key.slice(prefix.length + 1)
    if (name === hlsName || name === dashName || modifiedAt >= before) return
    // It says where another package is.
    if (name !== tracksName) keys.push(key)
  }
  await store.delete(keys)
}
