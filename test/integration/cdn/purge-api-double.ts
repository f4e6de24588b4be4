import { createHash, createHmac, createPublicKey, verify, type KeyObject } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What the API of a provider was sent. */
export interface SeenRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What it answers. */
export interface DoubleAnswer {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** Stands in for the API of a provider: it keeps what it is sent, and answers as it is told. */
export interface PurgeApiDouble extends AsyncDisposable {
  readonly url: string
  readonly seen: SeenRequest[]
  /** The next answers; then it is done with everything. */
  readonly answers: DoubleAnswer[]
  /** Answers nothing until then. */
  hold(until: Promise<void>): void
  /** Answers of some paths, such as that for access tokens, whatever comes next. */
  readonly always: Map<string, (request: SeenRequest) => DoubleAnswer>
}

/** Starts one on a loopback port. */
export async function startPurgeApiDouble(): Promise<PurgeApiDouble> {
  const seen: SeenRequest[] = []
  const answers: DoubleAnswer[] = []
  const always: PurgeApiDouble['always'] = new Map()
  let held: Promise<void> | undefined
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => void chunks.push(chunk))
    incoming.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      const request = { method: incoming.method!, path: incoming.url!, headers: incoming.headers, body }
      seen.push(request)
      const send = (): void => {
        const answer = always.get(request.path)?.(request) ??
          answers.shift() ?? { status: 200, body: '{"success":true}' }
        response.writeHead(answer.status, { connection: 'close', ...answer.headers }).end(answer.body)
      }
      if (held === undefined) send()
      else void held.then(send)
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    answers,
    always,
    hold: (until) => void (held = until),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** True when AWS would take the signature of a request, with the secret of whoever signed it. */
export function isSignedForAws({ method, path, headers, body }: SeenRequest, secret: string): boolean {
  const parts =
    /^AWS4-HMAC-SHA256 Credential=[^/]+\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
  const [, day, region, service, names, signature] = parts.exec(headers.authorization ?? '') ?? []
  if (names === undefined || !['host', 'x-amz-date'].every((name) => names.split(';').includes(name))) return false
  const time = headers['x-amz-date'] as string
  if (
    Math.abs(Date.now() - Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))) >
    300_000
  )
    return false
  const [pathname, query = ''] = path.split('?')
  const canonical = `${method}\n${pathname}\n${query}\n${names
    .split(';')
    .map((name) => `${name}:${String(headers[name])}\n`)
    .join('')}\n${names}\n${createHash('sha256').update(body).digest('hex')}`
  const mac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest()
  const key = mac(mac(mac(mac(`AWS4${secret}`, day!), region!), service!), 'aws4_request')
  const scope = `${day}/${region}/${service}/aws4_request`
  const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`
  return mac(key, text).toString('hex') === signature
}

/** True when Akamai would take the signature of a request. */
export function isSignedForAkamai({ method, path, headers, body }: SeenRequest, secret: string): boolean {
  const [, unsigned, time, signature] =
    /^(EG1-HMAC-SHA256 client_token=[^;]+;access_token=[^;]+;timestamp=(\d{8}T\d\d:\d\d:\d\d\+0000);nonce=[^;]+;)signature=(.+)$/.exec(
      headers.authorization ?? '',
    ) ?? []
  if (unsigned === undefined) return false
  const content = createHash('sha256').update(body).digest('base64')
  const text = `${method}\thttp\t${headers.host}\t${path}\t\t${content}\t${unsigned}`
  const key = createHmac('sha256', secret).update(time!).digest('base64')
  return createHmac('sha256', key).update(text).digest('base64') === signature
}

/** The claims of a JSON Web Token that an account has signed; undefined when it has not. */
export function claimsOf(token: string, key: KeyObject): Record<string, unknown> | undefined {
  const [head = '', claims = '', signature = ''] = token.split('.')
  const { alg } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { alg: string }
  const text = Buffer.from(`${head}.${claims}`)
  if (alg !== 'RS256' || !verify('sha256', text, createPublicKey(key), Buffer.from(signature, 'base64url')))
    return undefined
  return JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>
}
