import { createHash, createHmac, hash } from 'node:crypto'

/** The keys of an AWS identity. */
export interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
}

/** What is signed. */
export interface AwsRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
}

/** Who signs, for what. */
export interface AwsSigning {
  readonly credentials: AwsCredentials
  readonly region: string
  readonly service: string
  /** Epoch milliseconds. Default: now. */
  readonly now?: number | undefined
}

/**
 * Signs a request by AWS's Signature Version 4; the headers to send. All headers that are given are signed.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
 */
export function signAws(
  { method, url, headers, body = '' }: AwsRequest,
  { credentials, region, service, now = Date.now() }: AwsSigning,
): Record<string, string> {
  const { host, pathname, searchParams } = new URL(url)
  const time = new Date(now).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const day = time.slice(0, 8)
  const token = credentials.sessionToken
  const signed: Record<string, string> = {
    ...headers,
    host,
    'x-amz-date': time,
    ...(token !== undefined && { 'x-amz-security-token': token }),
  }
  const names = Object.keys(signed).toSorted()
  const canonical = [
    method,
    // Of what is encoded already once more, as all services but S3 want it.
    pathname.split('/').map(encodeAws).join('/'),
    [...searchParams]
      .map(([key, value]) => `${encodeAws(key)}=${encodeAws(value)}`)
      .toSorted()
      .join('&'),
    ...names.map((name) => `${name}:${signed[name]!.trim().replaceAll(/ +/g, ' ')}`),
    '',
    names.join(';'),
    hash('sha256', body, 'hex'),
  ].join('\n')
  const scope = `${day}/${region}/${service}/aws4_request`
  const text = ['AWS4-HMAC-SHA256', time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  const key = [region, service, 'aws4_request'].reduce<Buffer>(hmac, hmac(`AWS4${credentials.secretAccessKey}`, day))
  const signature = hmac(key, text).toString('hex')
  // The client sends the host by itself.
  const { host: _, ...sent } = signed
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  }
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function encodeAws(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
}
