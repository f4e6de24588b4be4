import type { FastifyInstance } from 'fastify'
import { parseDuration } from '../core/duration.ts'
import { PlimsollError, showValue } from '../core/errors.ts'
import { Uploads, type AddressedFiles, type OpenFiles } from '../files/index.ts'
import { serveAddresses, signedAddresses, type PlimsollOptions } from '../http/index.ts'
import type { Postgres } from '../postgres/index.ts'
import type { AppFilesOptions } from './open-files.ts'

/** What {@link serveFiles} joins. */
export interface FilesToServe extends Pick<PlimsollOptions, 'onError'> {
  readonly files: OpenFiles
  readonly postgres: Postgres
  readonly secret: string
  readonly options: AppFilesOptions
}

/**
 * Gives the files of an application addresses where their store has none, and makes its uploads, which begin to work, tables and all, once
 * somebody asks for them.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function serveFiles(
  fastify: FastifyInstance,
  { files, postgres, secret, options, onError }: FilesToServe,
): { readonly files: OpenFiles & AddressedFiles; readonly uploads: () => Uploads } {
  const { addresses: url = '/_files', sweep = '15m' } = options
  const sweepMs = parseDuration(sweep, 'files.sweep')
  if (files.direct === undefined) {
    const addresses = signedAddresses({ secret, url })
    files.linkBy(addresses)
    serveAddresses(fastify, pathOf(url), { store: files, addresses, onError })
  }
  // By now the store has them, or the routes that were just added.
  const addressed = files as OpenFiles & AddressedFiles
  let uploads: Uploads | undefined
  const open = (): Uploads => {
    if (uploads !== undefined) return uploads
    const opened = new Uploads({ postgres, store: files, direct: addressed.direct }, { sweepMs })
    fastify.addHook('onReady', () => opened.start())
    fastify.addHook('preClose', () => opened.close())
    return (uploads = opened)
  }
  return { files: addressed, uploads: open }
}

function pathOf(url: string): string {
  const path = url.startsWith('/') ? url : URL.canParse(url) ? new URL(url).pathname : ''
  if (/^\/[\w./-]+$/.test(path)) return path
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `files.addresses is ${showValue(url)}; give a path such as '/_files', or an address with one.`,
    {
      details: { option: 'files.addresses' },
    },
  )
}
