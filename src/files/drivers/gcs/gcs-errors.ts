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
export interface GcsSubject {
  readonly key?: string | undefined
  readonly ifAbsent?: boolean | undefined
  readonly ifMatch?: string | undefined
  /** Of uploads, as users know it. */
  readonly uploadId?: string | undefined
}

/** True for an answer that another attempt may not get. */
function isPassing(status: number): boolean {
  return status === 408 || status === 429 || status >= 500
}

/** What an answer other than 2xx means. */
export function answerError(
  { status, text, name }: { readonly status: number; readonly text: string; readonly name: string },
  { key = '', ifAbsent, ifMatch, uploadId }: GcsSubject,
): PlimsollError {
  const said = messageOf(text) || `HTTP ${status}`
  const details = { storage: name, status }
  if (status === 404 && /bucket does not exist|NoSuchBucket/i.test(text)) return unavailable(name, said, details)
  if (status === 404 && uploadId !== undefined) return uploadNotFound({ key, id: uploadId })
  if (status === 404) return ifMatch === undefined ? fileNotFound(key) : fileChanged(key, ifMatch)
  if (status === 412 && ifMatch !== undefined) return fileChanged(key, ifMatch)
  if (status === 412 && ifAbsent === true) return fileExists(key)
  if (status === 416) {
    return new PlimsollError('PLIMSOLL_FILE_RANGE_INVALID', `The range of '${key}' begins behind its end.`, {
      details: { key },
    })
  }
  if (status === 400 && /md5|crc32c|hash|digest|InvalidPart|EntityTooSmall/i.test(text)) return fileCorrupt(key, said)
  if (/quotaExceeded|QuotaExceeded/.test(text) || status === 507) {
    return new PlimsollError('PLIMSOLL_STORAGE_FULL', `There is no room for the file: ${name} says: ${said}`, {
      details,
    })
  }
  if (isPassing(status)) return unreachable(name, new Error(said))
  return unavailable(name, said, details)
}

/** What an error of a call means; other errors are returned as they are. */
export function toStorageError(error: unknown, name: string): unknown {
  if (error instanceof PlimsollError || isFromBody(error) || !(error instanceof Error)) return error
  const { code = '' } = error as NodeJS.ErrnoException
  if (/^(?:E[A-Z]+|ERR_|UND_|HPE_)/.test(code)) return unreachable(name, error)
  // Of the library that finds the credentials.
  return unavailable(name, error.message, { storage: name }, error)
}

/** The storage does not answer, or answers that it cannot. */
export function unreachable(name: string, cause: unknown): PlimsollError {
  const reason = cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : cause
  return storageUnreachable(name, { reason, cause })
}

function unavailable(
  name: string,
  said: string,
  details: Readonly<Record<string, unknown>>,
  cause?: unknown,
): PlimsollError {
  return new PlimsollError('PLIMSOLL_STORAGE_UNAVAILABLE', `The storage refuses: ${name} says: ${said}`, {
    cause,
    details,
  })
}

/** The sentence in an error of the JSON API, or of the XML API. */
function messageOf(text: string): string {
  const xml = /<Message>([^<]*)<\/Message>/.exec(text)?.[1]
  if (xml !== undefined) return xml
  try {
    const { error } = JSON.parse(text) as { error?: { message?: string } | string }
    return typeof error === 'string' ? error : (error?.message ?? '')
  } catch {
    return text.slice(0, 200)
  }
}
