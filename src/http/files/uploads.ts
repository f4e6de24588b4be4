import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PlimsollError } from '../../core/errors.ts'
import { readChecksums } from '../../files/checksums.ts'
import type { Uploads, WantedPart } from '../../files/uploads/open-uploads.ts'
import type { UploadSpec, WantedUpload } from '../../files/uploads/types.ts'
import type { UploadRow } from '../../files/uploads/upload-row.ts'
import { invalidUpload, notChecksum } from '../../files/uploads/upload-errors.ts'
import type { Transaction } from '../../postgres/index.ts'
import { checkPath } from '../path-parameters.ts'
import { problemHandler } from '../problem.ts'
import { withPrefix } from '../resource.ts'
import { safeFileName } from './file-name.ts'
import { takeUnread } from './request-bytes.ts'
import { appendedType, createByTus, serveTus, speaksTus } from './tus.ts'
import { toUploadSpec, type UploadOptions } from './upload-options.ts'
import { toStoredTicket, toTicket, uploadPlace } from './upload-ticket.ts'

/** What {@link mountUploads} is given beside the options. */
export interface UploadMountOptions {
  readonly uploads: Uploads
  /** Told of errors that are the service's own. */
  readonly onError?: ((error: unknown, request: FastifyRequest) => void) | undefined
}

/** A place for uploads: what its routes work with. */
export interface UploadPlace {
  readonly uploads: Uploads
  readonly spec: UploadSpec
  /** With the prefixes of plugins around it. */
  readonly path: string
  /** Who asks. @throws PLIMSOLL_UPLOAD_FORBIDDEN, and what the application throws */
  ownerOf(request: FastifyRequest, wanted?: WantedUpload): Promise<string | undefined>
  /** The upload that a request's path names. @throws PLIMSOLL_UPLOAD_NOT_FOUND */
  find(request: FastifyRequest): Promise<UploadRow>
}

/**
 * Adds the routes of a place for uploads. `POST path` begins one, and answers with a ticket: a signed request for a small file, or parts
 * that are signed by `POST path/:id/parts`. `GET path/:id` tells what is there, also after days and restarts; `POST path/:id/complete`
 * verifies it, and makes it a file; `DELETE path/:id` gives it up. The same addresses speak tus 1.0 to clients that do.
 *
 * @returns the paths of the routes
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function mountUploads(
  fastify: FastifyInstance,
  path: string,
  { options, mount }: { readonly options: UploadOptions<Transaction>; readonly mount: UploadMountOptions },
): readonly string[] {
  checkPath(path)
  if (path.includes(':')) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `The path of uploads is such as '/uploads/videos', without parameters, not '${path}'.`,
      {
        details: { option: 'path' },
      },
    )
  }
  const own = path.replace(/(?<=.)\/$/, '')
  const full = withPrefix(fastify.prefix, own)
  const place = openPlace(full, options, mount)
  // Sync where it can be, so that what is wrong is wrong at once; but parsers belong to a scope.
  void fastify.register(async (scope) => {
    takeUnread(scope, appendedType)
    scope.setErrorHandler(problemHandler(mount.onError))
    serveTickets(scope, own, place)
    serveTus(scope, own, place)
  })
  const one = `${full}/:id`
  return [full, one, `${one}/parts`, `${one}/complete`]
}

function openPlace(path: string, options: UploadOptions<Transaction>, { uploads }: UploadMountOptions): UploadPlace {
  const spec = toUploadSpec(path, options)
  const { authorize } = options
  const ownerOf = async (request: FastifyRequest, wanted?: WantedUpload): Promise<string | undefined> => {
    if (authorize === undefined) return undefined
    const owner = await authorize(request, wanted)
    if (typeof owner === 'string' && owner !== '') return owner
    if (owner === true) return undefined
    throw new PlimsollError('PLIMSOLL_UPLOAD_FORBIDDEN', 'You may not upload here.')
  }
  return {
    uploads,
    spec,
    path,
    ownerOf,
    find: async (request) => {
      const owner = await ownerOf(request)
      return uploads.find(spec, (request.params as { readonly id: string }).id, owner)
    },
  }
}

function serveTickets(scope: FastifyInstance, own: string, place: UploadPlace): void {
  const { uploads, spec, path } = place

  async function ticket(reply: FastifyReply, row: UploadRow): Promise<FastifyReply> {
    const inParts = row.kind === 'parts'
    const arrived = inParts ? await uploads.arrived(row) : []
    const checksums = inParts && row.state === 'open' ? await uploads.checksumsOfParts(row) : []
    const put =
      row.kind === 'single' && row.state === 'open' && !(await uploads.isThere(row))
        ? await uploads.signPut(row)
        : undefined
    return reply.header('cache-control', 'no-store').send(toTicket(row, { path, put, arrived, checksums }))
  }

  scope.post(own, async (request, reply) => {
    // The same address, in another language.
    if (speaksTus(request)) return createByTus(request, reply, place)
    const wanted = readWanted(request.body)
    const owner = await place.ownerOf(request, wanted)
    const row = await uploads.begin(spec, { ...wanted, name: safeFileName(wanted.name, 'file'), owner })
    reply.code(201).header('location', uploadPlace(path, row.id))
    return ticket(reply, row)
  })

  // HEAD is tus's.
  scope.get(`${own}/:id`, { exposeHeadRoute: false }, async (request, reply) => {
    const row = await place.find(request)
    return ticket(reply, row).catch(async (error: unknown) => {
      // What waited is gone: it has ended since, which the row tells by now.
      const now = await place.find(request)
      if (now.state === row.state) throw error
      return ticket(reply, now)
    })
  })

  scope.post(`${own}/:id/parts`, async (request, reply) => {
    const row = await place.find(request)
    const parts = await uploads.signParts(row, spec, readParts(request.body))
    return reply.header('cache-control', 'no-store').send({ parts })
  })

  scope.post(`${own}/:id/complete`, async (request, reply) => {
    const row = await place.find(request)
    const outcome = await uploads.complete(row, spec)
    return reply.header('cache-control', 'no-store').send(toStoredTicket(outcome))
  })
}

function readWanted(body: unknown): WantedUpload {
  const { name, type, size, sha256, crc32c } = objectOf(body) as Partial<Record<keyof WantedUpload, unknown>>
  if (typeof name !== 'string') throw invalidUpload('name is a text')
  if (typeof type !== 'string') throw invalidUpload('type is a media type, such as image/png')
  if (typeof size !== 'number') throw invalidUpload('size is a number of bytes')
  // A browser that does not know a type says none.
  const [known] = type.toLowerCase().split(';')
  const sums = readChecksums({ sha256: sha256 ?? undefined, crc32c: crc32c ?? undefined }, notChecksum)
  return { name, type: known?.trim() || 'application/octet-stream', size, ...sums }
}

function readParts(body: unknown): readonly WantedPart[] {
  const { parts } = objectOf(body) as { readonly parts?: unknown }
  if (!Array.isArray(parts)) throw invalidUpload('parts is a list of { number, sha256?, crc32c? }')
  return parts.map((part: unknown) => {
    const { number, ...sums } = objectOf(part) as Partial<Record<keyof WantedPart, unknown>>
    if (typeof number !== 'number') throw invalidUpload('the number of a part is a number')
    return { number, ...readChecksums(sums, notChecksum) }
  })
}

function objectOf(value: unknown): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw invalidUpload('the body is a JSON object')
}
