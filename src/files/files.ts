import type { Duration } from '../core/duration.ts'
import { PlimsollError, showValue } from '../core/errors.ts'
import type { DirectAccess, FileStore, SignGetOptions } from './contract.ts'
import { isInternal } from './internal-folders.ts'
import { checkKey } from './object-key.ts'
import { checkHeader } from './object-facts.ts'

/** How long an address holds, and what its answer says of the file instead of what is stored. */
export interface FileUrlOptions extends Pick<SignGetOptions, 'disposition' | 'type' | 'cacheControl'> {
  /** Default `'1h'`; up to 7 days. */
  readonly expires?: Duration | undefined
}

/** The files of an application: what its store does, and addresses of them. */
export interface Files extends FileStore {
  /**
   * A signed address that anybody can GET the file at until it expires: of the store itself, else of whoever serves files for it. It is made
   * without asking the store, for a key that nothing is under too.
   *
   * @example await app.files.url('invoices/7.pdf', { expires: '10m', disposition: 'attachment; filename="invoice-7.pdf"' })
   * @throws PLIMSOLL_FEATURE_UNSUPPORTED when nobody serves files of a store without addresses; PLIMSOLL_FILE_KEY_INVALID, also for what
   *   the store keeps for the framework itself, such as uploads that are not verified
   */
  url(key: string, options?: FileUrlOptions): Promise<string>
}

/** Files that can be reached by signed addresses: those of the store, else those of whoever serves files for it. */
export interface AddressedFiles extends Files {
  readonly direct: DirectAccess
}

/** The options of {@link openFiles}. */
export interface OpenFilesOptions {
  /** Closed with the files. */
  readonly store: FileStore
  /** Signs addresses where the store has none. Default: nobody does. */
  readonly links?: DirectAccess | undefined
}

/** Makes the files of an application out of a store. */
export function openFiles(options: OpenFilesOptions & { readonly links: DirectAccess }): AddressedFiles
export function openFiles(options: OpenFilesOptions): Files
export function openFiles({ store, links }: OpenFilesOptions): Files {
  const direct = store.direct ?? links
  const close = (): Promise<void> => store.close()
  const files = Object.freeze<Files>({
    engine: store.engine,
    features: store.features,
    direct,
    uploads: store.uploads,
    put: (...parameters) => store.put(...parameters),
    get: (...parameters) => store.get(...parameters),
    head: (...parameters) => store.head(...parameters),
    copy: (...parameters) => store.copy(...parameters),
    compose: (...parameters) => store.compose(...parameters),
    list: (...parameters) => store.list(...parameters),
    delete: (keys) => store.delete(keys),
    async url(key, { expires = '1h', disposition, type, cacheControl } = {}) {
      checkKey(key)
      if (isInternal(key, files)) throw internalKey(key)
      for (const [name, value] of Object.entries({ disposition, type, cacheControl })) checkHeader(name, value)
      if (direct === undefined) throw noAddresses(store)
      return direct.signGet(key, { expires, disposition, type, cacheControl })
    },
    close,
    [Symbol.asyncDispose]: close,
  })
  return files
}

function internalKey(key: string): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_FILE_KEY_INVALID',
    `${showValue(key)} is no file of the application: what the store keeps there is for the framework, and served to nobody.`,
    { details: { key } },
  )
}

function noAddresses({ engine }: FileStore): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_FEATURE_UNSUPPORTED',
    `Files on the engine '${engine}' have no addresses of their own; serve them with app.downloads(), or set STORAGE_URL to s3:// or gs://.`,
    { details: { feature: 'url', engine } },
  )
}
