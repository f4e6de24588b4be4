import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Storage } from '@google-cloud/storage'
import { corsRules } from './cors-rules.ts'
import { GoogleBucket, StorageError } from './google-bucket.ts'
import { checkSignedCall } from './google-signatures.ts'
import { serveForm, serveXml } from './google-xml.ts'

/**
 * A stand-in for Google Cloud Storage, for there is no server of it to be had: the parts of its JSON and XML APIs that are used here, with generations and
 * their conditions, the protocol of resumable uploads, and signatures that are checked; `google-signatures.test.ts` holds that check to Google's own vectors.
 */
export interface GoogleStorage {
  readonly endpoint: string
  readonly bucket: string
  /** A client of Google's, with a token and a key that the server knows. */
  client(): Storage
  /** Lets the pages of an origin in, by the rule that the documentation has for it. */
  letIn(origin: string): void
  /** Has signed addresses taken for expired, by their paths and queries. */
  expire(isExpired: (target: string) => boolean): void
  /** Has the next requests that are no signed ones answered by this status. */
  fail(status: number, times: number): void
  stop(): Promise<void>
}

/** The bucket of each. */
export const bucketName = 'tests-bucket'
const token = 'token-of-the-tests'
const email = 'tests@example.iam.gserviceaccount.com'

/** Starts one with one bucket in memory. */
export async function startGoogleStorage(): Promise<GoogleStorage> {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { publicKey } = keys
  const bucket = new GoogleBucket(bucketName)
  const failure = { status: 0, times: 0 }
  let origin: string | undefined
  let isExpired = (_target: string): boolean => false
  const server: Server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      const { status, message } = error instanceof StorageError ? error : { status: 500, message: String(error) }
      if (!response.headersSent) response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: { code: status, message } }))
    })
  })
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url: target = '' } = request
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : value]),
    )
    const url = new URL(target, 'http://storage')
    if (origin !== undefined && headers['origin'] === origin) {
      response.setHeader('access-control-allow-origin', origin)
      response.setHeader('access-control-expose-headers', 'ETag')
      if (method === 'OPTIONS') {
        const { method: methods, responseHeader } = corsRules(origin).google[0]
        const allowed = {
          'access-control-allow-methods': methods.join(),
          'access-control-allow-headers': responseHeader.join(),
        }
        response.writeHead(200, allowed).end()
        return
      }
    }
    if (method === 'POST' && headers['content-type']?.startsWith('multipart/form-data')) {
      return serveForm(bucket, { request, response, publicKey })
    }
    // The library signs the name of the host alone, as Google has no other port.
    const signed = { ...headers, host: headers['host']?.replace(/:\d+$/, '') }
    const refusal = checkSignedCall({ method, target, headers: signed }, { publicKey, now: new Date() })
    if (refusal === 'none') {
      // The address of a resumable upload is a secret of its own.
      if (!url.searchParams.has('upload_id') && headers['authorization'] !== `Bearer ${token}`) {
        throw new StorageError(401, 'Anonymous caller does not have access')
      }
      if (failure.times > 0) {
        failure.times--
        throw new StorageError(failure.status, 'Try again')
      }
    } else if (refusal === 'expired' || (refusal === undefined && isExpired(target))) {
      // Not 403, as with Amazon.
      const error = '<Code>ExpiredToken</Code><Message>The provided token has expired.</Message>'
      response.writeHead(400, { 'content-type': 'application/xml; charset=UTF-8' }).end(`<Error>${error}</Error>`)
      return
    } else if (refusal !== undefined) {
      throw new StorageError(403, `The signature does not hold: ${refusal}`)
    }
    if (/^\/(?:upload\/)?storage\/v1\//.test(url.pathname)) return serveJson(bucket, { request, response, url })
    return serveXml(bucket, { request, response, url })
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    endpoint,
    bucket: bucket.name,
    client: () => {
      const signing = {
        getCredentials: async () => ({ client_email: email }),
        sign: async (text: string) => sign('sha256', Buffer.from(text), keys.privateKey).toString('base64'),
      }
      return clientOf(endpoint, signing)
    },
    letIn: (given) => {
      origin = given
    },
    expire: (given) => {
      isExpired = given
    },
    fail: (status, times) => Object.assign(failure, { status, times }),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A client of one that another process has started; without its key it signs nothing. */
export function clientOf(endpoint: string, signing: object = {}): Storage {
  const storage = new Storage({ apiEndpoint: endpoint, useAuthWithCustomEndpoint: true, projectId: 'tests' })
  const getRequestHeaders = async (): Promise<Headers> => new Headers({ authorization: `Bearer ${token}` })
  // Its own would ask Google.
  Object.assign(storage.authClient, { getRequestHeaders, ...signing })
  return storage
}

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

async function serveJson(bucket: GoogleBucket, { request, response, url }: Exchange): Promise<void> {
  const { method } = request
  const query = url.searchParams
  const answer = (body: unknown, status = 200): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  const [, isUpload, name, rest = ''] = /^\/(upload\/)?storage\/v1\/b\/([^/]+)\/o(?:\/(.*))?$/.exec(url.pathname) ?? []
  if (name !== bucket.name) throw new StorageError(404, 'The specified bucket does not exist.')
  const condition = query.get('ifGenerationMatch') ?? undefined
  if (isUpload !== undefined) return serveUpload(bucket, { request, response, url }, condition)
  if (rest === '') return answer(bucket.list(query))
  const [source, , destination] = rest.split('/').map(decodeURIComponent)
  if (rest.includes('/rewriteTo/')) {
    const to = decodeURIComponent(rest.split('/').at(-1)!)
    const object = bucket.need(source!)
    const expected = query.get('ifSourceGenerationMatch')
    if (expected !== null && expected !== object.generation) throw new StorageError(412, 'The source has changed.')
    const resource = JSON.parse((await bodyOf(request)).toString()) as object
    // In two calls, as with large objects.
    if (query.get('rewriteToken') === null) return answer({ done: false, rewriteToken: 'more' })
    return answer({ done: true, resource: bucket.put(to, object.bytes, { resource, condition }) })
  }
  if (rest.endsWith('/compose')) {
    const { sourceObjects, destination: resource } = JSON.parse((await bodyOf(request)).toString()) as {
      sourceObjects: { name: string; generation?: string }[]
      destination: object
    }
    if (sourceObjects.length === 0 || sourceObjects.length > 32) throw new StorageError(400, '1 to 32 source objects')
    const bytes = sourceObjects.map(({ name: part, generation }) => {
      const object = bucket.need(part)
      if (generation !== undefined && generation !== object.generation) throw new StorageError(404, 'No such object')
      return object.bytes
    })
    const composed = bucket.put(source!, Buffer.concat(bytes), { resource, condition, isComposed: true })
    return answer(composed)
  }
  if (destination !== undefined) throw new StorageError(404, 'Not Found')
  const key = decodeURIComponent(rest)
  if (method === 'GET') return answer(bucket.resource(bucket.need(key)))
  if (method !== 'DELETE') throw new StorageError(405, 'Method not allowed')
  bucket.need(key)
  bucket.objects.delete(key)
  response.writeHead(204).end()
}

async function serveUpload(
  bucket: GoogleBucket,
  { request, response, url }: Exchange,
  condition: string | undefined,
): Promise<void> {
  const query = url.searchParams
  const body = await bodyOf(request)
  const answer = (object: unknown): void => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(object))
  }
  if (query.get('uploadType') === 'multipart') {
    const [, boundary] = /boundary=(.*)/.exec(request.headers['content-type'] ?? '') ?? []
    const text = body.toString('latin1')
    const parts = text.split(`--${boundary}`).slice(1, -1)
    const [resource, bytes] = parts.map((part) => part.slice(part.indexOf('\r\n\r\n') + 4, -2))
    const given = JSON.parse(Buffer.from(resource!, 'latin1').toString()) as { md5Hash?: string }
    const content = Buffer.from(bytes!, 'latin1')
    if (given.md5Hash !== undefined && given.md5Hash !== createHash('md5').update(content).digest('base64')) {
      throw new StorageError(400, 'Provided MD5 hash does not match the data.')
    }
    return answer(bucket.put(query.get('name')!, content, { resource: given, condition }))
  }
  if (request.method === 'POST') {
    const id = randomBytes(12).toString('hex')
    const resource = JSON.parse(body.toString()) as object
    bucket.check(query.get('name')!, condition)
    bucket.sessions.set(id, { name: query.get('name')!, resource, condition, bytes: Buffer.alloc(0) })
    url.searchParams.set('upload_id', id)
    const location = `http://${request.headers.host}${url.pathname}${url.search}`
    response.writeHead(200, { location }).end()
    return
  }
  const id = query.get('upload_id') ?? ''
  const session = bucket.sessions.get(id)
  if (session === undefined) throw new StorageError(404, 'No such upload')
  if (request.method === 'DELETE') {
    bucket.sessions.delete(id)
    response.writeHead(499).end()
    return
  }
  const [, first, last, total] =
    /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(request.headers['content-range'] ?? '') ?? []
  if (total === undefined) throw new StorageError(400, 'A resumable upload needs a Content-Range')
  if (first !== undefined) {
    if (Number(first) !== session.bytes.length) throw new StorageError(400, 'Bytes that are not the next ones')
    if (Number(last) - Number(first) + 1 !== body.length) throw new StorageError(400, 'A range of another length')
    if (total === '*' && body.length % (256 * 1024) !== 0) throw new StorageError(400, 'Chunks are multiples of 256 KB')
    session.bytes = Buffer.concat([session.bytes, body])
  }
  if (total !== '*' && Number(total) === session.bytes.length) {
    const { name, resource, bytes } = session
    const object = bucket.put(name, bytes, { resource, condition: session.condition })
    bucket.sessions.delete(id)
    return answer(object)
  }
  const range = session.bytes.length === 0 ? {} : { range: `bytes=0-${session.bytes.length - 1}` }
  response.writeHead(308, range).end()
}
