import { createHmac, hash, randomUUID } from 'node:crypto'

/** The keys of a client of Akamai's APIs. */
export interface EdgeGridCredentials {
  readonly clientToken: string
  readonly clientSecret: string
  readonly accessToken: string
}

/** What is signed. */
export interface EdgeGridRequest {
  readonly method: string
  readonly url: string
  readonly body?: string | undefined
}

/** Of bodies the beginning is signed. */
const mostBody = 131_072

/**
 * The header `Authorization` of a request to Akamai's APIs (EdgeGrid, EG1-HMAC-SHA256). `now`: epoch milliseconds; by default now, and
 * `nonce` a random one. `signedBody`: how much of a body is signed, in characters.
 *
 * @see https://techdocs.akamai.com/developer/docs/edgegrid
 */
export function signEdgeGrid(
  { method, url, body = '' }: EdgeGridRequest,
  { clientToken, clientSecret, accessToken }: EdgeGridCredentials,
  {
    now = Date.now(),
    nonce = randomUUID(),
    signedBody = mostBody,
  }: { readonly now?: number; readonly nonce?: string; readonly signedBody?: number } = {},
): string {
  const { protocol, host, pathname, search } = new URL(url)
  const time = `${new Date(now).toISOString().slice(0, 19).replaceAll('-', '')}+0000`
  const unsigned = `EG1-HMAC-SHA256 client_token=${clientToken};access_token=${accessToken};timestamp=${time};nonce=${nonce};`
  const content = method === 'POST' && body !== '' ? hash('sha256', body.slice(0, signedBody), 'base64') : ''
  // The empty part would name headers that are signed; Akamai wants none.
  const text = [method, protocol.slice(0, -1), host, pathname + search, '', content, unsigned].join('\t')
  return `${unsigned}signature=${hmac(hmac(clientSecret, time), text)}`
}

function hmac(key: string, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64')
}
