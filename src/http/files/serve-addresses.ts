import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PlimsollError } from '../../core/errors.ts'
import type { FileStore, StoredObject, WrittenObject } from '../../files/contract.ts'
import { invalidUpload } from '../../files/uploads/upload-errors.ts'
import { problemHandler, problemOf, sendProblem } from '../problem.ts'
import { isActive, isPassive, sandboxPolicy } from './active-types.ts'
import { answerFile, untilGone, type FileAnswer } from './answer-file.ts'
import { boundedCacheControl } from './bounded-cache-control.ts'
import { contentDisposition } from './content-disposition.ts'
import { formBoundary, formParts } from './form-parts.ts'
import { RequestBody } from './request-body.ts'
import { announcedLength, leaveUnread, takeUnread, whileSending } from './request-bytes.ts'
import type { Grant, Held, SignedAddresses } from './signed-addresses.ts'

/** What {@link serveAddresses} is given. */
export interface ServeAddressOptions {
  readonly store: FileStore
  readonly addresses: SignedAddresses
  /** Told of errors that are the service's own. */
  readonly onError?: ((error: unknown, request: FastifyRequest) => void) | undefined
}

/** Fields of a form before its file, which we read into memory. */
const longestField = 16_384

/**
 * Adds the routes that {@link SignedAddresses} lead to: GET and HEAD of a file, PUT of a file or a part, POST of a form. Whoever has an
 * address may do what it says, and nothing else; every other request is refused with the same words.
 *
 * @throws nothing; what requests have wrong is answered
 */
export function serveAddresses(
  fastify: FastifyInstance,
  path: string,
  { store, addresses, onError }: ServeAddressOptions,
): void {
  const errorHandler = problemHandler(onError)
  void fastify.register(async (own) => {
    own.removeAllContentTypeParsers()
    takeUnread(own, '*')
    own.addHook('onSend', async (request, reply) => leaveUnread(request, reply))
    own.route({
      method: ['GET', 'HEAD'],
      url: path,
      exposeHeadRoute: false,
      errorHandler,
      handler: async (request, reply) => {
        const grant = addresses.read(tokenOf(request), 'get')
        const answered = await answerFile(request, reply, {
          store,
          key: grant.key,
          describe: (object) => toAnswer(object, grant),
        })
        return answered ? reply : sendProblem(reply, problemOf(404, 'There is no such file.'))
      },
    })
    own.put(path, { errorHandler }, async (request, reply) => {
      const { etag } = await whileSending(request, () => take(request, reply))
      return reply.header('etag', etag).header('cache-control', 'no-store').code(200).send()
    })
    own.post(path, { errorHandler }, async (request, reply) => {
      const { etag } = await whileSending(request, () => takeForm(request, reply))
      return reply.header('etag', etag).header('cache-control', 'no-store').code(204).send()
    })
  })

  async function take(request: FastifyRequest, reply: FastifyReply): Promise<{ readonly etag: string }> {
    const token = tokenOf(request)
    const length = announcedLength(request)
    const grant = putGrant(token)
    if (length !== grant.size) throw refused()
    const body = new RequestBody(request.raw)
    const signal = untilGone(reply)
    const { size, sha256, crc32c } = grant
    if (grant.does === 'part') {
      const { key, upload, number, offset } = grant
      return store.uploads.putPart({ key, id: upload }, number, body, { size, offset, sha256, crc32c, signal })
    }
    if (request.headers['content-type'] !== grant.type) throw refused()
    return store.put(grant.key, body, {
      size,
      sha256,
      crc32c,
      type: grant.type,
      ifAbsent: grant.once !== false,
      signal,
    })
  }

  function putGrant(token: unknown): Extract<Grant, { does: 'put' | 'part' }> {
    try {
      return addresses.read(token, 'put')
    } catch {
      return addresses.read(token, 'part')
    }
  }

  async function takeForm(request: FastifyRequest, reply: FastifyReply): Promise<WrittenObject> {
    const boundary = formBoundary(request.headers['content-type'])
    if (boundary === undefined) throw refused()
    const signal = untilGone(reply)
    let token: string | undefined
    for await (const { name, body } of formParts(new RequestBody(request.raw), boundary)) {
      // Fields behind it have no meaning: it is the last one.
      if (name === 'file') return await store.put(...toPut(addresses.read(token, 'post'), body, signal))
      // Whoever says more thinks that it counts.
      if (name !== 'token') throw refused()
      token = await textOf(body)
    }
    throw refused()
  }
}

function toPut(
  grant: Extract<Grant, { does: 'post' }>,
  body: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Parameters<FileStore['put']> {
  return [grant.key, bounded(body, grant), { type: grant.type, signal }]
}

/** Ends with an error, so that nothing is stored, when there are too many bytes or too few. */
async function* bounded(
  body: AsyncIterable<Buffer>,
  { maxBytes, minBytes = 0 }: { readonly maxBytes: number; readonly minBytes?: number | undefined },
): AsyncGenerator<Buffer, void, undefined> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > maxBytes) {
      throw new PlimsollError('PLIMSOLL_UPLOAD_TOO_LARGE', `The file has more than ${maxBytes} bytes.`, {
        details: { maximum: maxBytes },
      })
    }
    yield chunk
  }
  if (bytes < minBytes) throw invalidUpload(`it has less than ${minBytes} bytes`)
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > longestField) throw refused()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function toAnswer(object: StoredObject, grant: Extract<Grant, { does: 'get' }> & Held): FileAnswer {
  const type = grant.type ?? object.type
  const name = object.key.slice(object.key.lastIndexOf('/') + 1)
  const disposition =
    grant.disposition ?? object.disposition ?? contentDisposition(isPassive(type) ? 'inline' : 'attachment', name)
  // What is stored is said to whoever may have the file; an address is one person's, unless whoever has made it says otherwise.
  const shared = grant.cacheControl !== undefined
  const control = grant.cacheControl ?? object.cacheControl ?? 'private, no-cache'
  const leftS = Math.max(0, Math.floor((grant.until - Date.now()) / 1000))
  return {
    object,
    type,
    headers: {
      'cache-control': boundedCacheControl(control, { leftS, shared }),
      'content-disposition': disposition,
      ...(isActive(type) ? { 'content-security-policy': sandboxPolicy } : {}),
    },
  }
}

function tokenOf(request: FastifyRequest): unknown {
  return (request.query as { readonly token?: unknown }).token
}

/** In the words of a wrong signature: what differs is not said. */
function refused(): PlimsollError {
  return new PlimsollError('PLIMSOLL_SIGNATURE_INVALID', 'The request is not the one that the address was made for.')
}
