import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import Fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify'
import { notFoundHandler } from '../http/not-found.ts'
import { problemHandler, problemHeaders, problemOf, sendProblem, toProblem, type Problem } from '../http/problem.ts'
import { serversOf } from './servers-of.ts'

/** As long as a value in a filter may be. Fastify's own default, 100, is too short for a key that is a text. */
const maxParamLength = 2000

/**
 * A Fastify that answers with problem documents wherever it is the server that gives up: where nothing is served, at URLs and
 * heads that it cannot read, and at what a handler throws. `options` are Fastify's own, and go before.
 */
export function openFastify(options: FastifyServerOptions): FastifyInstance {
  const fastify = Fastify({
    frameworkErrors: (error, _, reply) => void sendProblem(reply, urlProblem(error)),
    clientErrorHandler: answerClientError,
    // Late requests are answered by the application; see closeGracefully.
    return503OnClosing: false,
    ...options,
    routerOptions: {
      ...('maxParamLength' in options ? {} : { maxParamLength }),
      ...options.routerOptions,
    },
  })
  if (!options.clientErrorHandler) {
    // Fastify tells only the first of its servers.
    fastify.addHook('onListen', async () => {
      for (const server of serversOf(fastify).slice(1)) server.on('clientError', answerClientError)
    })
  }
  return fastify
}

/** Sets the handlers of what no route takes and of what handlers throw. */
export function answerWithProblems(
  fastify: FastifyInstance,
  onError?: (error: unknown, request: FastifyRequest) => void,
): void {
  const notFound = notFoundHandler(fastify)
  const failed = problemHandler(onError)
  fastify.setNotFoundHandler(notFound)
  fastify.setErrorHandler((error, request, reply) => {
    // Fastify reads the body first; but what is wrong with it does not matter where nobody takes one.
    const body = request.is404 && String((error as Partial<FastifyError> | null)?.code).startsWith('FST_ERR_CTP_')
    return body ? notFound(request, reply) : failed(error, request, reply)
  })
}

/** Fastify's messages repeat the URL, however long it is. */
function urlProblem(error: FastifyError): Problem {
  switch (error.code) {
    case 'FST_ERR_BAD_URL':
      return problemOf(400, 'The path is not percent-encoded UTF-8.')
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return problemOf(414, 'A part of the path is too long.')
    default:
      return toProblem(error)
  }
}

/** Answers what is no request, on the bare connection, and closes it. */
function answerClientError(error: Error & { code?: string }, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const problem = clientProblem(error.code)
  const body = JSON.stringify(problem)
  const headers = { ...problemHeaders(problem), 'content-length': Buffer.byteLength(body), connection: 'close' }
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? ''}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

function clientProblem(code: string | undefined): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return problemOf(431, 'The URL and the headers of the request are longer than this server reads.')
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return problemOf(413, 'The extensions of the chunks of the body are too long.')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return problemOf(408, 'The request did not come to its end in time.')
    default:
      return problemOf(400, 'This is no request of HTTP/1.1.')
  }
}
