import { createHash, randomBytes, type KeyObject } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { checkCrc32c, crc32cOf, StorageError, type GoogleBucket, type GoogleObject } from './google-bucket.ts'
import { checkSignedPolicy } from './google-signatures.ts'

interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly url: URL
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const smallestPart = 5 * 1024 * 1024

/** The XML API: reading and storing objects, and multipart uploads. */
export async function serveXml(bucket: GoogleBucket, { request, response, url }: Exchange): Promise<void> {
  const [, name, rest = ''] = /^\/([^/]+)(?:\/(.*))?$/.exec(url.pathname) ?? []
  if (name !== bucket.name) throw new StorageError(404, 'The specified bucket does not exist.')
  const key = decodeURIComponent(rest)
  const { method, headers } = request
  const query = url.searchParams
  if (key === '' || query.has('uploads') || query.has('uploadId')) {
    return serveMultipart(bucket, { request, response, url }, key)
  }
  const condition = headers['x-goog-if-generation-match'] as string | undefined
  if (method === 'GET') {
    const object = bucket.need(key)
    bucket.check(key, condition)
    return send(object, { request, response, url })
  }
  if (method !== 'PUT') throw new StorageError(405, 'Method not allowed')
  const bytes = await bodyOf(request)
  const [least, most] = String(headers['x-goog-content-length-range'] ?? '')
    .split(',')
    .map(Number)
  if (most !== undefined && (bytes.length < least! || bytes.length > most))
    throw new StorageError(400, 'EntityTooLarge')
  checkHash(headers, bytes)
  bucket.put(key, bytes, { resource: factsOf(headers), condition })
  response.writeHead(200, { etag: md5Of(bytes) }).end()
}

function send({ bytes, ...object }: GoogleObject, { request, response, url }: Exchange): void {
  const query = url.searchParams
  const facts = {
    'content-type': query.get('response-content-type') ?? object.contentType,
    'content-disposition': query.get('response-content-disposition') ?? object.contentDisposition,
    'cache-control': object.cacheControl,
    'last-modified': new Date(object.updated).toUTCString(),
    // Of another kind than the generation, by which others know the object.
    etag: md5Of(bytes),
    'x-goog-generation': object.generation,
    'x-goog-hash': `crc32c=${crc32cOf(bytes)}`,
    'accept-ranges': 'bytes',
    ...Object.fromEntries(Object.entries(object.metadata ?? {}).map(([name, value]) => [`x-goog-meta-${name}`, value])),
  }
  const head = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >
  const { range: asked = '', 'if-match': ifMatch, 'if-none-match': ifNoneMatch, 'if-range': ifRange } = request.headers
  if (ifMatch !== undefined && ifMatch !== head['etag']) throw new StorageError(412, 'Precondition Failed')
  if (ifNoneMatch !== undefined && ifNoneMatch === head['etag']) return void response.writeHead(304, head).end()
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(asked) ?? []
  if (first === undefined || (ifRange !== undefined && ifRange !== head['etag'])) {
    response.writeHead(200, { ...head, 'content-length': String(bytes.length) }).end(bytes)
    return
  }
  if (Number(first) >= bytes.length) throw new StorageError(416, 'The requested range cannot be satisfied.')
  const end = last === '' || last === undefined ? bytes.length - 1 : Math.min(Number(last), bytes.length - 1)
  const part = bytes.subarray(Number(first), end + 1)
  const range = `bytes ${first}-${end}/${bytes.length}`
  response.writeHead(206, { ...head, 'content-range': range, 'content-length': String(part.length) }).end(part)
}

async function serveMultipart(bucket: GoogleBucket, { request, response, url }: Exchange, key: string): Promise<void> {
  const { method, headers } = request
  const query = url.searchParams
  const answer = (xml: string): void => void response.writeHead(200, { 'content-type': 'application/xml' }).end(xml)
  const missing = (): StorageError => new StorageError(404, 'NoSuchUpload')
  if (key === '') {
    const prefix = query.get('prefix') ?? ''
    const list = [...bucket.uploads].filter(([, { name }]) => name.startsWith(prefix))
    const xml = list.map(([id, { name, begun }]) => {
      const text = name.replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`)
      return `<Upload><Key>${text}</Key><UploadId>${id}</UploadId><Initiated>${begun.toISOString()}</Initiated></Upload>`
    })
    return answer(
      `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${xml.join('')}</ListMultipartUploadsResult>`,
    )
  }
  if (method === 'POST' && query.has('uploads')) {
    const id = randomBytes(16).toString('hex')
    bucket.uploads.set(id, { name: key, resource: factsOf(headers), begun: new Date(), parts: new Map() })
    return answer(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`)
  }
  const id = query.get('uploadId') ?? ''
  const upload = bucket.uploads.get(id)
  if (upload === undefined || upload.name !== key) throw missing()
  if (method === 'PUT') {
    const bytes = await bodyOf(request)
    // It may have ended while the bytes came.
    if (!bucket.uploads.has(id)) throw missing()
    checkHash(headers, bytes)
    upload.parts.set(Number(query.get('partNumber')), bytes)
    response.writeHead(200, { etag: md5Of(bytes) }).end()
    return
  }
  if (method === 'GET') {
    const parts = [...upload.parts]
      .sort(([a], [b]) => a - b)
      .filter(([n]) => n > Number(query.get('part-number-marker') ?? 0))
    // Two at a time, so that lists have pages.
    const page = parts.slice(0, 2)
    const xml = page.map(
      ([n, bytes]) =>
        `<Part><PartNumber>${n}</PartNumber><ETag>${md5Of(bytes)}</ETag><Size>${bytes.length}</Size></Part>`,
    )
    const more = `<IsTruncated>${parts.length > page.length}</IsTruncated><NextPartNumberMarker>${page.at(-1)?.[0] ?? 0}</NextPartNumberMarker>`
    return answer(`<ListPartsResult>${more}${xml.join('')}</ListPartsResult>`)
  }
  if (method === 'DELETE') {
    bucket.uploads.delete(id)
    response.writeHead(204).end()
    return
  }
  const text = (await bodyOf(request)).toString()
  const asked = [...text.matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>(.*?)<\/ETag>/g)]
  const bytes = asked.map(([, n, etag], index) => {
    const part = upload.parts.get(Number(n))
    if (part === undefined || md5Of(part) !== etag!.replaceAll('&#34;', '"')) throw new StorageError(400, 'InvalidPart')
    if (index < asked.length - 1 && part.length < smallestPart) throw new StorageError(400, 'EntityTooSmall')
    return part
  })
  if (!bucket.uploads.delete(id)) throw missing()
  bucket.put(key, Buffer.concat(bytes), { resource: upload.resource, condition: undefined, isComposed: true })
  answer('<CompleteMultipartUploadResult></CompleteMultipartUploadResult>')
}

/** Stores the file of a form, if its signed policy says so. */
export async function serveForm(
  bucket: GoogleBucket,
  { request, response, publicKey }: Omit<Exchange, 'url'> & { readonly publicKey: KeyObject },
): Promise<void> {
  const body = await bodyOf(request)
  const form = await new Response(new Uint8Array(body), {
    headers: { 'content-type': request.headers['content-type']! },
  }).formData()
  const fields = new Map(
    [...form].filter(([name]) => name !== 'file').map(([name, value]) => [name.toLowerCase(), String(value)]),
  )
  const file = form.get('file') as Blob
  const policy = fields.get('policy') ?? ''
  if (!checkSignedPolicy({ policy, signature: fields.get('x-goog-signature') ?? '' }, publicKey)) {
    throw new StorageError(403, 'The signature of the policy does not hold')
  }
  const { conditions, expiration } = JSON.parse(Buffer.from(policy, 'base64').toString()) as {
    conditions: (readonly [string, number | string, number | string] | Record<string, string>)[]
    expiration: string
  }
  if (Date.parse(expiration) < Date.now()) throw new StorageError(403, 'The policy has expired')
  const covered = new Set(['policy', 'x-goog-signature', 'file'])
  for (const condition of conditions) {
    if (Array.isArray(condition)) {
      const [, least, most] = condition as [string, number, number]
      if (file.size < least || file.size > most) throw new StorageError(400, 'EntityTooLarge')
      continue
    }
    const [[name, value]] = Object.entries(condition) as [[string, string]]
    covered.add(name.toLowerCase())
    if (name !== 'bucket' && fields.get(name.toLowerCase()) !== value)
      throw new StorageError(403, `${name} is another one`)
    if (name === 'bucket' && value !== bucket.name) throw new StorageError(403, 'Another bucket')
  }
  const extra = [...fields.keys()].find((name) => !covered.has(name))
  if (extra !== undefined) throw new StorageError(403, `${extra} is not in the policy`)
  const bytes = Buffer.from(await file.arrayBuffer())
  bucket.put(fields.get('key')!, bytes, { resource: { contentType: fields.get('content-type') }, condition: undefined })
  response.writeHead(204).end()
}

function factsOf(headers: IncomingMessage['headers']): object {
  const metadata = Object.entries(headers).flatMap(([name, value]) =>
    name.startsWith('x-goog-meta-') ? [[name.slice('x-goog-meta-'.length), String(value)] as const] : [],
  )
  return {
    contentType: headers['content-type'],
    cacheControl: headers['cache-control'],
    contentDisposition: headers['content-disposition'],
    metadata: Object.fromEntries(metadata),
  }
}

/** @throws 400 for bytes that have not the hash that was sent with them */
function checkHash(headers: IncomingMessage['headers'], bytes: Buffer): void {
  const [, crc32c] = /^crc32c=(.*)$/.exec(String(headers['x-goog-hash'] ?? '')) ?? []
  if (crc32c !== undefined) checkCrc32c(bytes, crc32c)
}

function md5Of(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`
}
