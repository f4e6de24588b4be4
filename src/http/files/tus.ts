import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { WantedUpload } from '../../files/uploads/types.ts'
import type { UploadKind, UploadRow } from '../../files/uploads/upload-row.ts'
import { invalidUpload } from '../../files/uploads/upload-errors.ts'
import { problemOf, sendProblem } from '../problem.ts'
import { safeFileName } from './file-name.ts'
import { RequestBody } from './request-body.ts'
import { announcedLength, leaveUnread, whileSending } from './request-bytes.ts'
import { uploadPlace } from './upload-ticket.ts'
import type { UploadPlace } from './uploads.ts'

/** The type of what is appended. */
export const appendedType = 'application/offset+octet-stream'

const version = '1.0.0'
const extensions = 'creation,expiration,checksum,termination,concatenation'
/** By their names in the protocol, which are those of Node too. */
const algorithms = ['sha256', 'sha1', 'md5']
const mostPieces = 100

/** Whether a client speaks tus. */
export function speaksTus(request: FastifyRequest): boolean {
  return request.headers['tus-resumable'] !== undefined
}

/**
 * Adds the routes of tus 1.0 (https://tus.io/protocols/resumable-upload) that are no tickets': HEAD tells how much has come, PATCH appends,
 * DELETE gives up, OPTIONS tells what we speak. With the last byte the upload is verified and made a file; PATCH answers what was wrong.
 */
export function serveTus(scope: FastifyInstance, own: string, place: UploadPlace): void {
  const { uploads, spec } = place

  scope.options(own, async (_request, reply) =>
    reply
      .headers({
        'tus-resumable': version,
        'tus-version': version,
        'tus-extension': extensions,
        'tus-max-size': String(spec.maxBytes),
        'tus-checksum-algorithm': algorithms.join(','),
      })
      .code(204)
      .send(),
  )

  scope.head(`${own}/:id`, async (request, reply) => {
    if (!isKnownVersion(request, reply)) return reply
    const row = await place.find(request)
    // What came in another way has no offset.
    if (row.kind !== 'appended' && row.kind !== 'partial') return sendProblem(reply, problemOf(404))
    // A client that hears of the last byte takes it for done: so it is done first, or says why not.
    if (row.kind === 'appended' && row.received === row.size) await uploads.complete(row, spec)
    if (row.kind === 'partial') await uploads.finishPiece(row)
    const received = row.state === 'stored' ? row.size : row.received
    reply.header('upload-offset', received).header('upload-length', row.size).header('cache-control', 'no-store')
    if (row.kind === 'partial') reply.header('upload-concat', 'partial')
    return sayExpiry(reply, row).code(200).send()
  })

  scope.patch(`${own}/:id`, async (request, reply) => {
    if (!isKnownVersion(request, reply)) return reply
    leaveUnread(request, reply)
    const length = announcedLength(request)
    if (request.headers['content-type'] !== appendedType)
      return sendProblem(reply, problemOf(415, `What is appended is ${appendedType}.`))
    if (length === undefined) return sendProblem(reply, problemOf(411))
    const offset = Number(request.headers['upload-offset'] ?? Number.NaN)
    if (!Number.isSafeInteger(offset)) throw invalidUpload('Upload-Offset is a number of bytes')
    const checksum = readChecksum(request)
    const row = await place.find(request)
    if (row.kind !== 'appended' && row.kind !== 'partial') throw invalidUpload('it does not come in order')
    const body = new RequestBody(request.raw)
    const { received, whole } = await whileSending(request, () =>
      uploads.append(row, spec, { offset, length, checksum, body }),
    )
    // It has an id at the store by now.
    if (whole && row.kind === 'appended') await uploads.complete(await place.find(request), spec)
    reply.removeHeader('connection')
    return sayExpiry(reply.header('upload-offset', received), row).code(204).send()
  })

  scope.delete(`${own}/:id`, async (request, reply) => {
    if (speaksTus(request) && !isKnownVersion(request, reply)) return reply
    await uploads.abort(await place.find(request))
    return reply.header('cache-control', 'no-store').code(204).send()
  })
}

/** Begins an upload that comes in order, or makes one of its pieces. */
export async function createByTus(
  request: FastifyRequest,
  reply: FastifyReply,
  place: UploadPlace,
): Promise<FastifyReply> {
  if (!isKnownVersion(request, reply)) return reply
  const { uploads, spec, path } = place
  const metadata = readMetadata(request.headers['upload-metadata'])
  const name = safeFileName(metadata.get('filename') ?? metadata.get('name') ?? 'file', 'file')
  const type = (metadata.get('filetype') ?? metadata.get('type') ?? '').toLowerCase() || 'application/octet-stream'
  const concat = String(request.headers['upload-concat'] ?? '')
  const row = concat.startsWith('final;')
    ? await joinPieces(request, { place, name, type, urls: concat.slice('final;'.length).trim().split(/\s+/) })
    : await begin(request, { name, type, kind: concat === 'partial' ? 'partial' : 'appended' })
  return sayExpiry(reply, row)
    .header('location', uploadPlace(path, row.id))
    .header('cache-control', 'no-store')
    .code(201)
    .send()

  async function begin(
    from: FastifyRequest,
    { kind, ...told }: Pick<WantedUpload, 'name' | 'type'> & { readonly kind: UploadKind },
  ): Promise<UploadRow> {
    const size = Number(from.headers['upload-length'] ?? Number.NaN)
    if (!Number.isSafeInteger(size)) throw invalidUpload('Upload-Length is a number of bytes')
    const wanted = { ...told, size }
    return uploads.begin(spec, { ...wanted, kind, owner: await place.ownerOf(from, wanted) })
  }
}

async function joinPieces(
  request: FastifyRequest,
  {
    place,
    name,
    type,
    urls,
  }: { readonly place: UploadPlace; readonly name: string; readonly type: string; readonly urls: readonly string[] },
): Promise<UploadRow> {
  if (urls.length > mostPieces) throw invalidUpload(`it is made of up to ${mostPieces} pieces`)
  // The address is ours, whatever proxy made it another one: the id is its last part.
  const pieces = urls.map((url) => /([\w-]+)\/?$/.exec(url)?.[1] ?? '')
  const ownerOf = (wanted: WantedUpload): Promise<string | undefined> => place.ownerOf(request, wanted)
  return place.uploads.join(place.spec, { name, type, pieces, owner: await place.ownerOf(request), ownerOf })
}

/** The version is said in every answer; with another one nothing is done. */
function isKnownVersion(request: FastifyRequest, reply: FastifyReply): boolean {
  reply.header('tus-resumable', version)
  if (request.headers['tus-resumable'] === version) return true
  reply.header('tus-version', version)
  sendProblem(reply, problemOf(412, `This server speaks tus ${version}.`))
  return false
}

function sayExpiry(reply: FastifyReply, { expiresAt, state }: UploadRow): FastifyReply {
  return state === 'open' ? reply.header('upload-expires', new Date(expiresAt).toUTCString()) : reply
}

/** `filename d29ybGQ=,filetype dGV4dC9wbGFpbg==` */
function readMetadata(header: string | string[] | undefined): ReadonlyMap<string, string> {
  const pairs = String(header ?? '')
    .split(',')
    .map((pair) => pair.trim().split(' '))
  return new Map(pairs.map(([name = '', value = '']) => [name, Buffer.from(value, 'base64').toString()]))
}

function readChecksum(request: FastifyRequest): { readonly algorithm: string; readonly digest: Buffer } | undefined {
  const header = request.headers['upload-checksum']
  if (header === undefined) return undefined
  const [algorithm = '', digest = ''] = String(header).split(' ')
  if (!algorithms.includes(algorithm)) throw invalidUpload(`Upload-Checksum is of ${algorithms.join(', ')}`)
  return { algorithm, digest: Buffer.from(digest, 'base64') }
}
