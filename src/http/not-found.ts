import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { problemOf, sendProblem } from './problem.ts'
import { cut, splitUrl } from './query-string.ts'

const methods: readonly HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/**
 * A handler for what no route takes: 405 with the header Allow when the path of a resource, or of the description, was asked
 * with another method, else 404.
 */
export function notFoundHandler(
  fastify: FastifyInstance,
): (request: FastifyRequest, reply: FastifyReply) => FastifyReply {
  return (request, reply) => {
    const { path } = splitUrl(request.url)
    const pattern = fastify.plimsollPaths.find((candidate) => matches(candidate, path))
    const allowed = pattern === undefined ? [] : methods.filter((method) => fastify.hasRoute({ method, url: pattern }))
    if (allowed.length === 0) return sendProblem(reply, problemOf(404, `There is nothing at ${cut(path)}.`))
    reply.header('allow', allowed.join(', '))
    return sendProblem(reply, {
      ...problemOf(405, `${request.method} is not possible at ${cut(path)}; its methods are ${allowed.join(', ')}.`),
      allowed,
    })
  }
}

function matches(pattern: string, path: string): boolean {
  if (pattern.endsWith('/*')) return path.startsWith(pattern.slice(0, -1)) && path.length >= pattern.length
  const parts = pattern.split('/')
  const words = path.split('/')
  return (
    parts.length === words.length &&
    parts.every((part, at) => part === words[at] || (part.startsWith(':') && words[at] !== ''))
  )
}
