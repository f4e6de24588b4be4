import { PlimsollError, showValue } from '../core/errors.ts'

/** There is nothing under a key. */
export function fileNotFound(key: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_FILE_NOT_FOUND', `There is no file ${showValue(key)}.`, { details: { key } })
}

/** Something is under a key where nothing should be. */
export function fileExists(key: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_FILE_EXISTS', `The file ${showValue(key)} is there already.`, { details: { key } })
}

/** An object has not the ETag that was asked for, or is not there at all. */
export function fileChanged(key: string, ifMatch: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_FILE_CHANGED', `The file ${showValue(key)} is not the one with ETag ${ifMatch}.`, {
    details: { key, ifMatch },
  })
}

/** Bytes are not those that were announced. */
export function fileCorrupt(key: string, reason: string): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_FILE_CORRUPT',
    `The bytes for ${showValue(key)} are not as announced: ${reason}.`,
    {
      details: { key, reason },
    },
  )
}

/** An object has more bytes than its store takes. */
export function fileTooLarge(key: string, mostBytes: number): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_FILE_TOO_LARGE',
    `The file ${showValue(key)} has more than ${mostBytes} bytes, which is the most that the storage takes.`,
    { details: { key, mostBytes } },
  )
}

/** There is no upload under an id, or it is of another key. */
export function uploadNotFound({ key, id }: { readonly key: string; readonly id: string }): PlimsollError {
  return new PlimsollError('PLIMSOLL_UPLOAD_NOT_FOUND', `There is no upload ${showValue(id)} of ${showValue(key)}.`, {
    details: { key, id },
  })
}

/** Nothing can be done with a store that was closed. */
export function storageClosed(): PlimsollError {
  return new PlimsollError('PLIMSOLL_STORAGE_CLOSED', 'The storage was closed.')
}

/** The storage does not answer, or answers that it cannot; `reason` says which. */
export function storageUnreachable(
  name: string,
  { reason, cause }: { readonly reason: unknown; readonly cause: unknown },
): PlimsollError {
  return new PlimsollError('PLIMSOLL_STORAGE_UNREACHABLE', `${name} cannot be reached: ${String(reason)}`, {
    cause,
    details: { storage: name },
  })
}
