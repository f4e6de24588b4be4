import type { FastifyInstance } from 'fastify'
import { parseDuration } from '../core/duration.ts'
import { PlimsollError, showValue } from '../core/errors.ts'
import { Uploads, type AddressedFiles } from '../files/index.ts'
import { serveAddresses, type PlimsollOptions, type SignedAddresses } from '../http/index.ts'
import type { Postgres } from '../postgres/index.ts'
import type { AppFilesOptions } from './open-files.ts'
import { hasWorkerCommand } from './worker-command-mark.ts'

/** What {@link serveFiles} joins. */
export interface FilesToServe extends Pick<PlimsollOptions, 'onError'> {
  readonly files: AddressedFiles
  /** Those that it was opened with. */
  readonly addresses: SignedAddresses
  readonly postgres: Postgres
  readonly sweep?: AppFilesOptions['sweep']
}

/**
 * Answers at the signed addresses of an application's files, where their store has none of its own, and makes its uploads, which begin to
 * work, tables and all, once somebody asks for them.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function serveFiles(
  fastify: FastifyInstance,
  { files, addresses, postgres, sweep = '15m', onError }: FilesToServe,
): { readonly uploads: () => Uploads } {
  const sweepMs = parseDuration(sweep, 'files.sweep')
  if (files.direct === addresses) serveAddresses(fastify, pathOf(addresses.url), { store: files, addresses, onError })
  let uploads: Uploads | undefined
  const open = (): Uploads => {
    if (uploads !== undefined) return uploads
    const opened = new Uploads({ postgres, store: files, direct: files.direct }, { sweepMs })
    // A worker serves nothing, so it is never ready to, and removes what was given up all the same.
    if (hasWorkerCommand()) void opened.start().catch(warn)
    else fastify.addHook('onReady', () => opened.start())
    fastify.addHook('preClose', () => opened.close())
    return (uploads = opened)
  }
  return { uploads: open }
}

function warn(error: unknown): void {
  process.emitWarning(`Uploads that were given up cannot be removed: ${String(error)}`, 'PlimsollWarning')
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
