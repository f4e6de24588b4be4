import { PlimsollError } from '../../../core/errors.ts'
import {
  fileChanged,
  fileCorrupt,
  fileExists,
  fileNotFound,
  storageUnreachable,
  uploadNotFound,
} from '../../file-errors.ts'
import { isFromBody } from '../../file-body.ts'

/** What a call was about, for the errors that it may end with. */
export interface S3Call {
  readonly key?: string | undefined
  readonly ifAbsent?: boolean | undefined
  readonly ifMatch?: string | undefined
  readonly uploadId?: string | undefined
}

/** An error of a service, as the SDK throws it. */
interface ServiceError extends Error {
  readonly Code?: string
  readonly $fault?: string
  /** Of EntityTooLarge: bytes, as text. */
  readonly MaxSizeAllowed?: string
  readonly $metadata?: { readonly httpStatusCode?: number; readonly attempts?: number }
}

const full = ['QuotaExceeded', 'InsufficientStorage', 'XMinioStorageFull', 'ServiceQuotaExceeded', 'StorageFull']
const corrupt = [
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'InvalidDigest',
  'XAmzContentChecksumMismatch',
  'IncompleteBody',
]
const parts = ['InvalidPart', 'InvalidPartOrder', 'EntityTooSmall', 'MalformedXML']
const network =
  /^(?:ECONN|EPIPE|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET|UND_ERR|ERR_SOCKET|ERR_STREAM_PREMATURE|ERR_TLS|CERT_|DEPTH_|SELF_SIGNED)/

/** The service's own name for an error. */
export function codeOf(error: unknown): string {
  const { Code, name } = (error ?? {}) as Partial<ServiceError>
  return Code ?? name ?? ''
}

/** The HTTP status that an error came with. */
export function statusOf(error: unknown): number | undefined {
  return (error as ServiceError | undefined)?.$metadata?.httpStatusCode
}

/** True where what was asked for is not there: an object, or its bucket, which a HEAD does not tell apart. */
export function isMissing(error: unknown): boolean {
  return ['NotFound', 'NoSuchKey'].includes(codeOf(error)) || (statusOf(error) === 404 && codeOf(error) === '404')
}

/** What an error of the SDK means to whoever stores files; what is none of the service's is returned as it is. */
export function toStorageError(error: unknown, name: string, call: S3Call = {}): unknown {
  if (error instanceof PlimsollError || isFromBody(error) || !(error instanceof Error)) return error
  // The SDK looks for it when it is first asked.
  if (error.message === 'Region is missing') {
    const message = `${name} has no region; give one, such as s3://bucket?region=eu-north-1, or set AWS_REGION.`
    return new PlimsollError('PLIMSOLL_STORAGE_UNAVAILABLE', message, { cause: error, details: { storage: name } })
  }
  const known = toKnown(error, call)
  if (known !== undefined) return known
  const code = codeOf(error)
  const status = statusOf(error) ?? 0
  const said = `${name} says ${code}${[code, 'UnknownError', ''].includes(error.message) ? '' : `: ${error.message}`}`
  const options = { cause: error, details: { storage: name, reason: code } }
  if (full.includes(code) || status === 507) {
    return new PlimsollError('PLIMSOLL_STORAGE_FULL', `There is no room for the file: ${said}`, options)
  }
  if (code === 'NotImplemented' || status === 501) {
    return new PlimsollError(
      'PLIMSOLL_FEATURE_UNSUPPORTED',
      `The storage cannot do what is asked of it: ${said}`,
      options,
    )
  }
  if (
    status >= 500 ||
    ['SlowDown', 'RequestTimeout', 'TimeoutError', 'Throttling', 'TooManyRequestsException'].includes(code) ||
    isNetwork(error)
  ) {
    return unreachable(name, error)
  }
  return new PlimsollError('PLIMSOLL_STORAGE_UNAVAILABLE', `The storage refuses: ${said}`, options)
}

/** The storage does not answer, or answers that it cannot. */
export function unreachable(name: string, cause: unknown): PlimsollError {
  const reason =
    cause instanceof Error ? cause.message || codeOf(cause) || (cause as NodeJS.ErrnoException).code : cause
  return storageUnreachable(name, { reason, cause })
}

function toKnown(error: Error, { key = '', ifAbsent, ifMatch, uploadId }: S3Call): PlimsollError | undefined {
  const code = codeOf(error)
  if (code === 'NoSuchUpload' && uploadId !== undefined) return uploadNotFound({ key, id: uploadId })
  if (code === 'PreconditionFailed' || statusOf(error) === 412) {
    return ifMatch !== undefined ? fileChanged(key, ifMatch) : ifAbsent ? fileExists(key) : undefined
  }
  // Ceph does not tell an upload from an object.
  if (isMissing(error) && uploadId !== undefined) return uploadNotFound({ key, id: uploadId })
  if (isMissing(error)) return ifMatch === undefined ? fileNotFound(key) : fileChanged(key, ifMatch)
  if (corrupt.includes(code) || (uploadId !== undefined && parts.includes(code))) {
    return fileCorrupt(key, `the storage says ${code}: ${error.message}`)
  }
  if (code === 'InvalidRange' || statusOf(error) === 416) {
    return new PlimsollError('PLIMSOLL_FILE_RANGE_INVALID', `The range of '${key}' begins behind its end.`, {
      cause: error,
      details: { key },
    })
  }
  if (code === 'EntityTooLarge') {
    const most = Number((error as ServiceError).MaxSizeAllowed)
    const limit = most > 0 ? `${most} bytes` : "its own limit, which it does not say (Amazon's is 5 GB)"
    const message = `The storage takes no file as large as '${key}': up to ${limit} in one request.`
    return new PlimsollError('PLIMSOLL_FILE_TOO_LARGE', message, { cause: error, details: { key } })
  }
  return undefined
}

function isNetwork(error: Error): boolean {
  const { code = '' } = error as NodeJS.ErrnoException
  const { cause } = error
  return network.test(code) || (cause instanceof Error && isNetwork(cause))
}
