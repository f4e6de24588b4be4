import { ownFolder } from './object-key.ts'

/** Where everything lies that is nobody's file yet. */
export const waitingFolder = '.uploads/'

/** What the keys of files of encodes that have not ended begin with. */
export const workFolder = '.videos/'

/** Where variants of images are kept that were made on demand, unless another folder was named. */
export const variantFolder = '.images/'

const internal = [ownFolder, waitingFolder, workFolder, variantFolder]

/** Where else stores have variants of images; the rest of such a folder may be the application's own. */
const variantFolders = new WeakMap<object, Set<string>>()

/** What variants of one image are under, in their folder: a digest of its key, which anybody can work out. */
const digest = /^[0-9a-f]{32}\//

/** Notes that variants of images are kept in a folder of a store, which ends with a slash. */
export function keepVariantsIn(store: object, folder: string): void {
  const folders = variantFolders.get(store) ?? new Set()
  variantFolders.set(store, folders.add(folder))
}

/**
 * Whether a key is of a part of the store that nobody is served from and no file of the application is in: what waits to be verified, and
 * what drivers, images and videos keep for themselves. Who may have a file is asked by its key, and of these nobody is asked.
 */
export function isInternal(key: string, store?: object): boolean {
  if (internal.some((folder) => key.startsWith(folder))) return true
  const folders = store && variantFolders.get(store)
  return folders !== undefined && [...folders].some((at) => key.startsWith(at) && digest.test(key.slice(at.length)))
}
