import type { Attributes, Context, Span } from '@opentelemetry/api'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { clientLeft, routeOf, whenEnded } from '../request-events.ts'
import type { TracingParts } from './tracing-parts.ts'

/** The methods that may stand in a span; a stranger may send others. */
const methods = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE'])

/**
 * Makes a SERVER span of each request, the child of what its W3C `traceparent` header names, and runs its handlers in it. Where an
 * instrumentation of `node:http` has made one already, that one is given its route instead.
 */
export function traceRequests(fastify: FastifyInstance, parts: TracingParts): void {
  const { api } = parts
  const contexts = new WeakMap<FastifyRequest, Context>()
  fastify.addHook('onRequest', (request, reply, done) => {
    const outer = api.context.active()
    const active = api.trace.getSpan(outer)
    if (active && isServerSpan(active, parts)) {
      const route = routeOf(request)
      if (route !== undefined) active.setAttribute('http.route', route)
      contexts.set(request, outer)
      done()
      return
    }
    const parent = active ? outer : api.propagation.extract(outer, request.headers)
    const span = startSpan(request, parent, parts)
    whenEnded(reply.raw, (status, left) => {
      if (status !== clientLeft) span.setAttribute('http.response.status_code', status)
      if (left || status >= 500) {
        span.setAttribute('error.type', left ? 'client_left' : String(status))
        span.setStatus({ code: api.SpanStatusCode.ERROR })
      }
      span.end(parts.now())
    })
    const context = api.trace.setSpan(parent, span)
    contexts.set(request, context)
    api.context.with(context, done)
  })
  // The body arrives in events of the socket, which know of no request.
  fastify.addHook('preValidation', (request, _, done) => {
    const context = contexts.get(request)
    if (context) api.context.with(context, done)
    else done()
  })
}

/** The kind is no part of the API, but every SDK's spans have it. */
function isServerSpan(span: Span, { api }: TracingParts): boolean {
  return (span as { readonly kind?: unknown }).kind === api.SpanKind.SERVER
}

function startSpan(request: FastifyRequest, parent: Context, { api, tracer, now }: TracingParts): Span {
  const known = methods.has(request.method)
  const route = routeOf(request)
  const attributes: Attributes = {
    'http.request.method': known ? request.method : '_OTHER',
    'url.path': pathOf(request.url),
    'url.scheme': request.protocol,
    'network.protocol.version': request.raw.httpVersion,
  }
  if (!known) attributes['http.request.method_original'] = request.method
  if (route !== undefined) attributes['http.route'] = route
  if (request.hostname) attributes['server.address'] = request.hostname
  if (request.port) attributes['server.port'] = request.port
  const name = [known ? request.method : 'HTTP', ...(route === undefined ? [] : [route])].join(' ')
  return tracer.startSpan(name, { kind: api.SpanKind.SERVER, startTime: now(), attributes }, parent)
}

/** Without its query, which may hold what was searched for, or a secret. */
function pathOf(url: string): string {
  const end = url.search(/[?#]/)
  return end < 0 ? url : url.slice(0, end)
}
