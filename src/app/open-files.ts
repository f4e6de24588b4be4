import type { Duration } from '../core/duration.ts'
import { PlimsollError } from '../core/errors.ts'
import { redactUrl } from '../core/redact.ts'
import type { DirectAccess, FileStore } from '../files/contract.ts'
import { diskStore } from '../files/drivers/disk/disk-store.ts'
import { parseDiskUrl } from '../files/drivers/disk/parse-disk-url.ts'
import { gcsStore } from '../files/drivers/gcs/gcs-store.ts'
import { s3Store } from '../files/drivers/s3/s3-store.ts'
import { openFiles, type AddressedFiles } from '../files/index.ts'
import { purgedStore } from './purged-store.ts'

/** Where files are kept when nothing says so: in a folder beside the application. */
export const embeddedFiles = 'file:.plimsoll/files'

/** Where the files of an application are. */
export interface AppFilesOptions {
  /** A store that was opened already, such as one on a live client, instead of a URL; it is closed with the app. */
  readonly store?: FileStore | undefined
  /**
   * Where signed addresses of files begin that the store has none of its own for: a path, or an address with an origin for clients
   * elsewhere, such as `https://api.example.com/_files`. Default `'/_files'`.
   */
  readonly addresses?: string | undefined
  /** How often uploads that nobody has gone on with are removed, by a process that has `app.uploads`, a worker too, which does so when it starts as well. Default `'15m'`. */
  readonly sweep?: Duration | undefined
}

/**
 * Opens the files of an application, without asking the store anything: a folder is made, and a server connected to, when files are used.
 * `links` signs addresses where the store has none; `changed` is told of what is replaced or removed, by tags.
 *
 * @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_PEER_MISSING
 */
export async function openAppFiles(
  url: string,
  {
    store: given,
    links,
    changed,
  }: Pick<AppFilesOptions, 'store'> & {
    readonly links: DirectAccess
    readonly changed: ((tags: readonly string[]) => Promise<void>) | undefined
  },
): Promise<AddressedFiles> {
  const store = given ?? (await openFileStore(url))
  return openFiles({ store: changed === undefined ? store : purgedStore(store, changed), links })
}

/**
 * Opens the store that a URL names: `file:PATH`, `s3://bucket` or `gs://bucket`.
 *
 * @throws PLIMSOLL_OPTION_INVALID, PLIMSOLL_PEER_MISSING
 */
export async function openFileStore(url: string): Promise<FileStore> {
  const scheme = /^([a-z0-9]+):/i.exec(url)?.[1]?.toLowerCase()
  if (scheme === 'file') return diskStore(parseDiskUrl(url))
  if (scheme === 's3') return s3Store({ url })
  if (scheme === 'gs') return gcsStore({ url })
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `STORAGE_URL is '${redactUrl(url)}'; give file:PATH, s3://bucket or gs://bucket.`,
    { details: { option: 'storageUrl' } },
  )
}
