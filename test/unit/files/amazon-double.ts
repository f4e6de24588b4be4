import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { S3Client } from '@aws-sdk/client-s3'
import { crc32cOf } from '../../drivers/file-store.ts'

/** A request as the SDK gives it to what sends it. */
export interface SentRequest {
  readonly method: string
  readonly hostname: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

interface Answer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readable
}

interface Upload {
  readonly algorithm: string | undefined
  readonly type: string | undefined
  readonly parts: Map<string, Buffer>
}

/** What stands in for the service, and a client of it. */
export interface AmazonDouble {
  readonly client: S3Client
  /** All that was sent. */
  readonly sent: readonly SentRequest[]
  /** Answers a request, as one that came by itself. */
  answer(request: SentRequest): Promise<Answer>
}

/** The ways of a service. */
export interface AmazonWays {
  /** Another one than Amazon's, that speaks the same. */
  readonly endpoint?: string
  /** How those are answered who ask for checksums. */
  readonly refusesMode?: number
  /** Whether what it was told of an upload in parts is all of the object's. Default: as with Amazon's, true. */
  readonly wholeSums?: boolean
  /** Whether the client adds sums of its own choice, as the SDK's do unless they are told otherwise. Default false. */
  readonly clientSums?: boolean
}

/**
 * A stand-in for what Amazon's S3 does with CRC-32Cs, for there is no server of it to be had: bytes are compared with what is sent with them;
 * parts may have one where their upload was created for it, and need one where it is of the type COMPOSITE; it is told to who asks for it.
 * SHA-256s it compares of what is put at once, and refuses of parts whose upload was not created for them. Nothing else is checked.
 */
export function amazonDouble({
  endpoint,
  refusesMode,
  wholeSums = true,
  clientSums = false,
}: AmazonWays = {}): AmazonDouble {
  const objects = new Map<string, { readonly bytes: Buffer; readonly crc32c: string | undefined }>()
  const uploads = new Map<string, Upload>()
  const sent: SentRequest[] = []

  const answer = async (request: SentRequest): Promise<Answer> => {
    const { method, path, query, headers } = request
    const bytes = await bytesOf(request.body)
    const given = headers['x-amz-checksum-crc32c']
    if (query['uploads'] !== undefined) {
      const [algorithm, type] = [headers['x-amz-checksum-algorithm'], headers['x-amz-checksum-type']]
      uploads.set(String(uploads.size + 1), { algorithm, type, parts: new Map() })
      return xml(`<InitiateMultipartUploadResult><UploadId>${uploads.size}</UploadId></InitiateMultipartUploadResult>`)
    }
    const { uploadId, partNumber } = query
    const upload = uploads.get(uploadId ?? '')
    if (method === 'PUT' && upload !== undefined) {
      const isNamed = given !== undefined
      if (headers['x-amz-checksum-sha256'] !== undefined && upload.algorithm !== 'SHA256')
        return refused(400, 'InvalidRequest', `Checksum Type mismatch occurred, expected ${upload.algorithm ?? null}`)
      if (headers['x-amz-checksum-crc32'] !== undefined && upload.algorithm === 'CRC32C')
        return refused(400, 'InvalidRequest', 'Checksum Type mismatch occurred, expected crc32c')
      if (isNamed !== (upload.algorithm === 'CRC32C') && (isNamed || upload.type !== 'FULL_OBJECT'))
        return refused(400, 'InvalidRequest', `Checksum Type mismatch occurred, expected ${upload.algorithm ?? null}`)
      if (isNamed && given !== sumOf(bytes)) return refused(400, 'BadDigest', 'The CRC32C did not match')
      upload.parts.set(partNumber!, bytes)
      return done({ etag: etagOf(bytes) })
    }
    if (method === 'POST' && upload !== undefined) {
      const whole = Buffer.concat([...upload.parts].sort(([a], [b]) => Number(a) - Number(b)).map(([, part]) => part))
      const isWhole = upload.type === 'FULL_OBJECT' && wholeSums
      if (given !== undefined && (!isWhole || given !== sumOf(whole)))
        return refused(400, 'BadDigest', 'The CRC32C did not match')
      objects.set(path, { bytes: whole, crc32c: isWhole ? sumOf(whole) : undefined })
      return xml(`<CompleteMultipartUploadResult><ETag>${etagOf(whole)}</ETag></CompleteMultipartUploadResult>`)
    }
    const source = headers['x-amz-copy-source']
    if (source !== undefined) {
      const object = objects.get(`/${decodeURIComponent(source).split('/').slice(1).join('/')}`)!
      objects.set(path, object)
      const sum =
        object.crc32c && `<ChecksumCRC32C>${object.crc32c}</ChecksumCRC32C><ChecksumType>FULL_OBJECT</ChecksumType>`
      return xml(`<CopyObjectResult><ETag>${etagOf(object.bytes)}</ETag>${sum ?? ''}</CopyObjectResult>`)
    }
    if (method === 'PUT') {
      const sha256 = headers['x-amz-checksum-sha256']
      if (sha256 !== undefined && sha256 !== createHash('sha256').update(bytes).digest('base64'))
        return refused(400, 'BadDigest', 'The SHA256 did not match')
      if (given !== undefined && given !== sumOf(bytes)) return refused(400, 'BadDigest', 'The CRC32C did not match')
      objects.set(path, { bytes, crc32c: given })
      return done({ etag: etagOf(bytes) })
    }
    if (method === 'DELETE') {
      objects.delete(path)
      return done({}, 204)
    }
    // The bucket is there.
    if (path === '/') return done({})
    const object = objects.get(path)
    if (object === undefined) return refused(404, 'NoSuchKey', 'There is none')
    const asks = headers['x-amz-checksum-mode'] === 'ENABLED'
    if (asks && refusesMode !== undefined) return refused(refusesMode, 'InvalidArgument', 'No such header')
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers['range'] ?? '') ?? []
    const [from, to] = first === undefined ? [0, object.bytes.length] : [Number(first), Number(last) + 1]
    const told = {
      etag: etagOf(object.bytes),
      'last-modified': new Date(0).toUTCString(),
      'content-length': String(to - from),
      ...(first !== undefined && { 'content-range': `bytes ${first}-${last}/${object.bytes.length}` }),
      ...(asks && object.crc32c && { 'x-amz-checksum-crc32c': object.crc32c, 'x-amz-checksum-type': 'FULL_OBJECT' }),
    }
    return done(told, first === undefined ? 200 : 206, method === 'HEAD' ? undefined : object.bytes.subarray(from, to))
  }

  const client = new S3Client({
    region: 'eu-north-1',
    credentials: { accessKeyId: 'AKTEST', secretAccessKey: 'SK' },
    ...(endpoint !== undefined && { endpoint }),
    requestChecksumCalculation: clientSums ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
    responseChecksumValidation: clientSums ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED',
    requestHandler: {
      handle: async (request: SentRequest) => {
        sent.push(request)
        return { response: await answer(request) }
      },
    } as never,
  })
  return { client, sent, answer }
}

async function bytesOf(body: unknown): Promise<Buffer> {
  if (body === undefined || body === null) return Buffer.alloc(0)
  if (body instanceof Readable) return Buffer.concat(await body.toArray())
  return Buffer.from(body as string)
}

function sumOf(bytes: Buffer): string {
  return Buffer.from(crc32cOf(bytes), 'hex').toString('base64')
}

function etagOf(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`
}

function done(headers: Readonly<Record<string, string>>, statusCode = 200, body?: Buffer): Answer {
  return { statusCode, headers, body: Readable.from(body === undefined ? [] : [body]) }
}

function xml(text: string): Answer {
  return done({ 'content-type': 'application/xml' }, 200, Buffer.from(`<?xml version="1.0"?>${text}`))
}

function refused(status: number, code: string, message: string): Answer {
  const text = `<Error><Code>${code}</Code><Message>${message}</Message></Error>`
  return done({ 'content-type': 'application/xml' }, status, Buffer.from(text))
}
