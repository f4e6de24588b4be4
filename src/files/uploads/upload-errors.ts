import type { ErrorCode } from '../../core/error-codes.ts'
import { isPlimsollError, PlimsollError, showValue } from '../../core/errors.ts'

/** What a client says of an upload makes none. */
export function invalidUpload(reason: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_UPLOAD_INVALID', `The upload cannot be: ${reason}.`)
}

/** What a client calls a checksum is none, by what it should be; for `readChecksums`. */
export function notChecksum(name: string, wanted: string): PlimsollError {
  return invalidUpload(`${name} is ${wanted}`)
}

/** There is no such upload, or it is somebody else's, which is the same. */
export function unknownUpload(id: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_UPLOAD_NOT_FOUND', `There is no upload ${showValue(id)}, or none any more.`)
}

/** Not all bytes are there. */
export function incomplete(reason: string, details: Readonly<Record<string, unknown>> = {}): PlimsollError {
  return new PlimsollError('PLIMSOLL_UPLOAD_INCOMPLETE', `The upload is not complete: ${reason}.`, { details })
}

/** What came is not what was announced, or not what is taken. */
export function refusedUpload(reason: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_UPLOAD_REFUSED', `The file is refused: ${reason}.`)
}

/** It is of a type that is not taken. */
export function refusedType(type: string, accepted: readonly string[]): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_UPLOAD_TYPE_REFUSED',
    `The file is refused: it is ${type}, and what is taken is ${accepted.join(', ')}.`,
    {
      details: { allowed: accepted },
    },
  )
}

/** The upload has ended. */
export function endedUpload(state: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_UPLOAD_ENDED', `The upload has ended: it is ${state}.`)
}

/** Why a file was refused for good, as the row keeps it. */
export interface KeptRefusal {
  readonly code: ErrorCode
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

/** Whether an error says that a file will never be taken, and its upload ends with it. */
export function isRefusal(error: unknown): error is PlimsollError {
  return isPlimsollError(error, 'PLIMSOLL_UPLOAD_REFUSED') || isPlimsollError(error, 'PLIMSOLL_UPLOAD_TYPE_REFUSED')
}

/** What a row keeps of it. */
export function toKept({ code, message, details }: PlimsollError): KeptRefusal {
  return { code, message, details }
}

/** The error again. */
export function fromKept({ code, message, details }: KeptRefusal): PlimsollError {
  return new PlimsollError(code, message, { details })
}
