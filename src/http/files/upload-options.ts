import type { FastifyRequest } from 'fastify'
import { parseDuration, type Duration } from '../../core/duration.ts'
import { PlimsollError, showValue } from '../../core/errors.ts'
import { parseSize, type Size } from '../../core/size.ts'
import type { Transaction } from '../../postgres/index.ts'
import { isKey } from '../../files/index.ts'
import { isInternal } from '../../files/internal-folders.ts'
import { parseAccept } from '../../files/uploads/accepted-types.ts'
import type { StoredUpload, UploadSpec, WantedUpload } from '../../files/uploads/types.ts'
import { isPassive } from './active-types.ts'
import { contentDisposition } from './content-disposition.ts'

/** What a place for uploads takes, of whom, and what becomes of it. */
export interface UploadOptions<Tx> {
  /** Media types: `'image/*'`, `'application/pdf'`; `*` for the type and what is behind its slash takes all. What a file is, its first bytes say, not the client. */
  readonly accept: readonly string[]
  /** The largest file, such as `'5GB'`. */
  readonly maxBytes: Size
  /** From which size on a file comes in parts, and how large they are; false for never. Default from `'16MB'`, of `'8MB'`. */
  readonly parts?: { readonly from?: Size | undefined; readonly bytes?: Size | undefined } | false | undefined
  /**
   * Takes nothing but pictures, of up to so many pixels, which the head of a picture says before anything is decoded. `true` is 50
   * million. What is a picture and something else at the same time is refused.
   */
  readonly image?: boolean | { readonly maxPixels?: number | undefined } | undefined
  /**
   * Who uploads, asked by every request: a text that names him, whose uploads nobody else sees; true for anybody who has the address of
   * an upload; false refuses. What it throws to refuse, such as an error with `statusCode` 401, is answered. `wanted` is there when an
   * upload is begun. Default: anybody.
   */
  readonly authorize?:
    | ((request: FastifyRequest, wanted: WantedUpload | undefined) => string | boolean | Promise<string | boolean>)
    | undefined
  /**
   * Where a verified file is to lie: a key of its own for each upload. One that is another file's already is refused with 412, and nothing is
   * replaced. Default: the path, the id of the upload, and its name.
   */
  readonly key?: ((file: NewFile) => string) | undefined
  /** The Cache-Control that is stored with a file. Default: none. */
  readonly cacheControl?: string | undefined
  /** How long an upload is kept after somebody has last gone on with it. Default `'24h'`. */
  readonly keep?: Duration | undefined
  /**
   * Runs in the transaction that ends the upload: rows that it writes and jobs that it enqueues are there if and only if the upload is, and
   * once, however often and by however many it is completed. What it returns is answered as `result`. When it throws, the file is taken
   * back from its key, and the upload stays open; a PLIMSOLL_UPLOAD_REFUSED ends it, as a file that was refused.
   */
  readonly onStored: (file: StoredUpload, tx: Tx) => unknown
}

/** A file that is verified and has no key yet. */
export type NewFile = Omit<StoredUpload, 'key' | 'etag'>

const mostPixels = 50_000_000

/**
 * Reads the options of a place for uploads.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function toUploadSpec(route: string, options: UploadOptions<Transaction>): UploadSpec {
  const { key, cacheControl, parts = {} } = options
  const folder = route.replace(/^\/+/, '')
  const keyOf = key ?? ((file: NewFile) => [folder, file.id, file.name].filter((part) => part !== '').join('/'))
  return {
    route,
    accept: parseAccept(options.accept),
    maxBytes: parseSize(options.maxBytes, 'maxBytes'),
    parts:
      parts === false
        ? undefined
        : {
            from: parseSize(parts.from ?? '16MB', 'parts.from'),
            bytes: parseSize(parts.bytes ?? '8MB', 'parts.bytes'),
          },
    mostPixels: pixels(options.image),
    keepMs: parseDuration(options.keep ?? '24h', 'keep'),
    keyOf(file) {
      const found = keyOf(file)
      if (!isKey(found))
        throw invalid('key', `The option 'key' returned ${showValue(found)}, which is no key of a file.`)
      if (!isInternal(found)) return found
      const folder = found.slice(0, found.indexOf('/') + 1)
      const text = `The option 'key' returned ${showValue(found)}, and what is below '${folder}' is for the framework, and served to nobody.`
      throw invalid('key', `${text} Give another folder.`)
    },
    factsOf: ({ type, name }) => ({
      disposition: contentDisposition(isPassive(type) ? 'inline' : 'attachment', name),
      cacheControl,
    }),
    onStored: options.onStored,
  }
}

function pixels(image: UploadOptions<unknown>['image']): number | undefined {
  if (image === undefined || image === false) return undefined
  const most = (image === true ? undefined : image.maxPixels) ?? mostPixels
  if (Number.isSafeInteger(most) && most > 0) return most
  throw invalid('image', `image.maxPixels is ${showValue(most)}; give a whole number from 1.`)
}

function invalid(option: string, message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', message, { details: { option } })
}
