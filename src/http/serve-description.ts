import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { docsHtml } from './docs/docs-html.ts'
import { docsScript } from './docs/docs-script.ts'
import { docsStyle } from './docs/docs-style.ts'
import { etagOf, matchesEtag } from './etag.ts'
import { openApiDocument, type ApiInfo } from './openapi/openapi-document.ts'
import type { MountedResource } from './resource.ts'

/** Where to serve the description of which resources. */
export interface DescriptionOptions {
  readonly openapi: string
  readonly docs: string | false
  readonly info: ApiInfo
  readonly resources: readonly MountedResource[]
}

/** Only what the page itself loads: its script, its style and answers of this server. */
const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** Serves the description of an API, and the page that shows it. */
export function serveDescription(
  fastify: FastifyInstance,
  { openapi, docs, info, resources }: DescriptionOptions,
): void {
  let described = -1
  let description = Buffer.alloc(0)
  fastify.get(openapi, (request, reply) => {
    // Resources are added until the server is ready, so it is written again only when there are more.
    if (described !== resources.length) {
      description = Buffer.from(JSON.stringify(openApiDocument(resources, info)))
      described = resources.length
    }
    return answerFile(request, reply, { body: description, type: 'application/json; charset=utf-8' })
  })
  if (docs === false) return
  const base = `${fastify.prefix}${docs.replace(/\/$/, '')}`
  const files = [
    { path: docs, type: 'text/html; charset=utf-8', text: docsHtml({ base, openapi: fastify.prefix + openapi }) },
    { path: `${docs}/page.css`, type: 'text/css; charset=utf-8', text: docsStyle },
    { path: `${docs}/page.js`, type: 'text/javascript; charset=utf-8', text: docsScript },
  ]
  for (const { path, type, text } of files) {
    const body = Buffer.from(text)
    fastify.get(path, (request, reply) => {
      reply.header('content-security-policy', pagePolicy).header('referrer-policy', 'no-referrer')
      return answerFile(request, reply, { body, type })
    })
  }
}

function answerFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { body, type }: { body: Buffer; type: string },
): FastifyReply {
  const etag = etagOf(body)
  reply.header('etag', etag).header('cache-control', 'no-cache').header('x-content-type-options', 'nosniff')
  const known = request.headers['if-none-match']
  return known !== undefined && matchesEtag(known, etag) ? reply.code(304).send() : reply.type(type).send(body)
}
