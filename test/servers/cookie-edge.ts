import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What an edge was given. */
export interface CookieEdgeOptions {
  /** Where it fetches from. */
  readonly upstream: string
  /** The address that clients know. */
  readonly origin: (port: number) => string
  readonly keyName: string
  /** Of 16 bytes. */
  readonly key: Buffer
  /** What it shows `upstream`. */
  readonly edgeKey: string
}

/** An edge that opens folders by cookies. */
export interface CookieEdge {
  readonly url: string
  stop(): Promise<void>
}

/**
 * Starts an edge that checks `Cloud-CDN-Cookie` as Google documents it (https://cloud.google.com/cdn/docs/using-signed-cookies): whoever asks
 * for something under `/private/` without one for its beginning gets 403. It keeps nothing.
 */
export async function startCookieEdge({ upstream, origin, ...known }: CookieEdgeOptions): Promise<CookieEdge> {
  let url = ''
  const server = createServer((asked, answer) => {
    const path = asked.url ?? '/'
    if (path.startsWith('/private/') && !isOpen(asked, { ...known, address: `${url}${path}` })) {
      answer.writeHead(403).end()
    } else void pass(asked, answer, { to: `${upstream}${path}`, edgeKey: known.edgeKey })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = origin((server.address() as AddressInfo).port)
  return {
    url,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function isOpen(
  { headers }: IncomingMessage,
  { address, keyName, key }: { readonly address: string; readonly keyName: string; readonly key: Buffer },
): boolean {
  const cookies = (headers.cookie ?? '').split('; ').filter((cookie) => cookie.startsWith('Cloud-CDN-Cookie='))
  return cookies.some((cookie) => {
    const [signed = '', signature = ''] = cookie.slice('Cloud-CDN-Cookie='.length).split(':Signature=')
    const fields = Object.fromEntries(signed.split(':').map((field) => field.split(/=(.*)/s)))
    const mac = createHmac('sha1', key).update(signed).digest()
    const given = Buffer.from(signature, 'base64url')
    return (
      given.length === mac.length &&
      timingSafeEqual(given, mac) &&
      fields['KeyName'] === keyName &&
      Number(fields['Expires']) > Date.now() / 1000 &&
      address.startsWith(Buffer.from(fields['URLPrefix'] ?? '', 'base64url').toString())
    )
  })
}

async function pass(
  asked: IncomingMessage,
  answer: ServerResponse,
  { to, edgeKey }: { readonly to: string; readonly edgeKey: string },
): Promise<void> {
  const { cookie: _, ...headers } = asked.headers
  const fetched = request(to, { method: asked.method, headers: { ...headers, 'x-edge-key': edgeKey } }, (got) => {
    answer.writeHead(got.statusCode!, got.headers)
    got.pipe(answer)
  })
  fetched.once('error', () => answer.destroy())
  answer.once('close', () => fetched.destroy())
  fetched.end()
}
