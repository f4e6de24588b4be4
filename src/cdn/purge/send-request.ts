import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { PurgeAnswer, PurgeRequest } from './purge-api.ts'

/** Of a body that only says what went wrong. */
const mostBody = 2000

/** An answer, with what its header `Retry-After` says. */
export interface SentAnswer extends PurgeAnswer {
  readonly retryAfter: string | null
}

/**
 * Sends a request, and resolves to what comes back; redirects are not followed. Not by `fetch`, which sends the host of the address: an edge
 * is asked under the name of the CDN.
 */
export async function sendRequest(
  { url, method, headers, body }: PurgeRequest,
  signal: AbortSignal,
): Promise<SentAnswer> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const send = url.startsWith('https:') ? requestHttps : requestHttp
    // Without a length a body in chunks would be announced, whose end Varnish waits for.
    const length = method === 'HEAD' ? {} : { 'content-length': Buffer.byteLength(body ?? '') }
    send(url, { method, headers: { ...headers, ...length }, signal })
      .once('response', resolve)
      .once('error', reject)
      .end(body)
  })
  let text = ''
  for await (const chunk of answer) if (text.length < mostBody) text += String(chunk)
  return {
    status: answer.statusCode!,
    body: text.slice(0, mostBody),
    retryAfter: answer.headers['retry-after'] ?? null,
  }
}
