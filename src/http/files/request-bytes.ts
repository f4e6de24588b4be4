import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { PlimsollError } from '../../core/errors.ts'

/** What is left of a body that was refused is read to its end when it is no more than this: then the connection can go on. */
const smallBytes = 1_048_576

/** Has requests of a type, or of any, come to their handlers with their bodies unread. */
export function takeUnread(fastify: FastifyInstance, type: string): void {
  fastify.addContentTypeParser(type, (_request, payload, done) => done(null, payload))
}

/** How many bytes a request says it has; undefined when it does not. */
export function announcedLength(request: FastifyRequest): number | undefined {
  const text = request.headers['content-length']
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** Ends the connection behind an answer to a request whose body nobody will read: it may be gigabytes. */
export function leaveUnread(request: FastifyRequest, reply: FastifyReply): void {
  const { raw } = request
  if (raw.complete || raw.readableEnded) return
  if ((announcedLength(request) ?? Number.POSITIVE_INFINITY) > smallBytes) reply.header('connection', 'close')
}

/**
 * Does what takes the bytes of a request. When its client is gone before they are there, whatever that made fail is nobody's fault here.
 *
 * @throws PLIMSOLL_UPLOAD_INVALID
 */
export async function whileSending<T>(request: FastifyRequest, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (request.raw.complete || !request.raw.destroyed) throw cause
    throw new PlimsollError('PLIMSOLL_UPLOAD_INVALID', 'The upload cannot be: its connection ended before its bytes.', {
      cause,
    })
  }
}
