import { createHash, createHmac } from 'node:crypto'

/** What an address is signed with. */
export interface SigningKey {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
  readonly region: string
}

/**
 * Signs a PUT together with the SHA-256 of its bytes, as the header `x-amz-content-sha256`. The SDK's own presigner leaves the bytes out, and
 * what it takes instead, `x-amz-checksum-sha256`, not every service knows. Signature version 4 of Amazon's, with query parameters.
 */
export function presignPayload(
  address: string,
  {
    headers,
    sha256,
    seconds,
    key,
    now = new Date(),
  }: {
    readonly headers: Readonly<Record<string, string>>
    readonly sha256: string
    readonly seconds: number
    readonly key: SigningKey
    readonly now?: Date
  },
): string {
  const url = new URL(address)
  const own = [...url.searchParams].filter(([name]) => !/^x-amz-/i.test(name))
  const date = now.toISOString().replace(/[-:]|\.\d+/g, '')
  const scope = `${date.slice(0, 8)}/${key.region}/s3/aws4_request`
  const signed = { ...headers, host: url.host, 'x-amz-content-sha256': sha256 }
  const names = Object.keys(signed).sort()
  const query = new Map([
    ...own,
    ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
    ['X-Amz-Credential', `${key.accessKeyId}/${scope}`],
    ['X-Amz-Date', date],
    ['X-Amz-Expires', String(seconds)],
    ['X-Amz-SignedHeaders', names.join(';')],
    ...(key.sessionToken === undefined ? [] : [['X-Amz-Security-Token', key.sessionToken] as const]),
  ])
  const text = [...query]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&')
  const lines = names.map((name) => `${name}:${signed[name as keyof typeof signed]}`)
  const request = ['PUT', url.pathname, text, ...lines, '', names.join(';'), sha256].join('\n')
  const toSign = ['AWS4-HMAC-SHA256', date, scope, createHash('sha256').update(request).digest('hex')].join('\n')
  let secret = Buffer.from(`AWS4${key.secretAccessKey}`)
  for (const part of scope.split('/')) secret = createHmac('sha256', secret).update(part).digest()
  const signature = createHmac('sha256', secret).update(toSign).digest('hex')
  return `${url.origin}${url.pathname}?${text}&X-Amz-Signature=${signature}`
}

/** RFC 3986: what encodeURIComponent leaves as it is, the signature wants encoded. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
