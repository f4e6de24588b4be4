import type { FastifyReply, FastifyRequest } from 'fastify'
import { etagOf, matchesEtag } from './etag.ts'

/** What an answer has beside its body. */
export interface AnswerOptions {
  readonly link?: string | undefined
  /** True when the answer depends on who asks. */
  readonly scoped: boolean
}

/** Sends JSON that is already bytes, with its validators; 304 without it when the client has the same bytes. */
export function answerJson(
  request: FastifyRequest,
  reply: FastifyReply,
  { body, link, scoped }: AnswerOptions & { body: Buffer },
): FastifyReply {
  const etag = etagOf(body)
  // Rows hold texts of strangers: no browser may take an answer for a page.
  reply.header('etag', etag).header('x-content-type-options', 'nosniff')
  // Caches may keep it and ask each time; whoever knows better sets the header in a hook.
  if (!reply.hasHeader('cache-control')) reply.header('cache-control', scoped ? 'private, no-cache' : 'no-cache')
  if (link !== undefined) reply.header('link', link)
  const known = request.headers['if-none-match']
  if (known !== undefined && matchesEtag(known, etag)) return reply.code(304).send()
  return reply.header('content-type', 'application/json; charset=utf-8').send(body)
}
