import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import { docsHtml } from './docs/docs-html.ts'
import { docsScript } from './docs/docs-script.ts'
import { docsStyle } from './docs/docs-style.ts'
import { etagOf, matchesEtag } from './etag.ts'
import type { MountedJobs } from './jobs/job-status.ts'
import { openApiDocument, type ApiInfo } from './openapi/openapi-document.ts'
import { splitUrl } from './query-string.ts'
import { relativeReference } from './relative-reference.ts'
import { withPrefix, type MountedResource } from './resource.ts'

/** Where to serve the description of which resources. */
export interface DescriptionOptions {
  readonly openapi: string
  readonly docs: string | false
  readonly info: ApiInfo
  readonly resources: readonly MountedResource[]
  readonly jobs: readonly MountedJobs[]
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

/**
 * Serves the description of an API, and the page that shows it; returns their paths. They refer to each other and to the
 * resources relatively, so that they work behind a proxy that takes a prefix off the path.
 */
export function serveDescription(
  fastify: FastifyInstance,
  { openapi, docs, info, resources, jobs }: DescriptionOptions,
): readonly string[] {
  const described = withPrefix(fastify.prefix, openapi)
  const server = relativeReference(described, '/')
  let count = -1
  let description = Buffer.alloc(0)
  fastify.get(openapi, (request, reply) => {
    // Resources are added until the server is ready, so it is written again only when there are more.
    if (count !== resources.length + jobs.length) {
      description = Buffer.from(JSON.stringify(openApiDocument(resources, info, { server, jobs })))
      count = resources.length + jobs.length
    }
    return answerFile(request, reply, { body: description, type: 'application/json; charset=utf-8' })
  })
  return docs === false ? [described] : [described, ...servePage(fastify, { docs, openapi: described })]
}

function servePage(fastify: FastifyInstance, { docs, openapi }: { docs: string; openapi: string }): readonly string[] {
  const slash = docs.endsWith('/')
  const bare = docs.replace(/\/$/, '')
  const folder = fastify.prefix.replace(/\/$/, '') + bare
  // Its files are found from the page's own address, so it has only one; the other one, if any, leads there.
  const [page, other] = slash ? [`${folder}/`, folder] : [folder, `${folder}/`]
  const [style, script] = [`${folder}/page.css`, `${folder}/page.js`]
  const near = (path: string): string => relativeReference(page, path)
  const html = docsHtml({ style: near(style), script: near(script), openapi: near(openapi) })
  const files = [
    { url: docs, type: 'text/html; charset=utf-8', text: html },
    { url: `${bare}/page.css`, type: 'text/css; charset=utf-8', text: docsStyle },
    { url: `${bare}/page.js`, type: 'text/javascript; charset=utf-8', text: docsScript },
  ]
  for (const { url, type, text } of files) {
    const body = Buffer.from(text)
    const handler = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
      // An application may take both addresses for one.
      if (url === docs && splitUrl(request.url).path.endsWith('/') !== slash) return leadToOther(request, reply)
      reply.header('content-security-policy', pagePolicy).header('referrer-policy', 'no-referrer')
      return answerFile(request, reply, { body, type })
    }
    fastify.route({ method: 'GET', url, prefixTrailingSlash: 'slash', handler })
  }
  if (other === '' || takesBoth(fastify) || fastify.hasRoute({ method: 'GET', url: other }))
    return [page, style, script]
  fastify.route({ method: 'GET', url: slash ? bare : `${docs}/`, handler: leadToOther })
  return [page, other, style, script]
}

function takesBoth({ initialConfig }: FastifyInstance): boolean {
  const { ignoreTrailingSlash, routerOptions } = initialConfig as FastifyServerOptions
  return ignoreTrailingSlash === true || routerOptions?.ignoreTrailingSlash === true
}

/** Leads to the address with a slash less or more at its end. Not for ever: browsers would remember it when the option has changed. */
function leadToOther(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { path } = splitUrl(request.url)
  return reply.redirect(relativeReference(path, path.endsWith('/') ? path.slice(0, -1) : `${path}/`), 307)
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
