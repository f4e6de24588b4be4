import { PlimsollError } from '../../../core/errors.ts'
import { isFromBody } from '../../file-body.ts'

/** True for an error of the file system with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException | undefined)?.code ?? '')
}

/** Resolves to undefined where a file is not there. */
export async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}

/** What an error of the file system means to whoever stores files; other errors are returned as they are. */
export function toStorageError(error: unknown, root: string): unknown {
  if (isFromBody(error) || !(error instanceof Error) || typeof (error as NodeJS.ErrnoException).syscall !== 'string')
    return error
  const options = { cause: error, details: { folder: root } }
  const said = `the folder ${root} (${error.message})`
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) {
    return new PlimsollError('PLIMSOLL_STORAGE_FULL', `There is no room for the file in ${said}.`, options)
  }
  if (hasCode(error, 'EIO', 'ESTALE', 'ETIMEDOUT', 'ENXIO', 'ENODEV', 'EMFILE', 'ENFILE', 'EHOSTDOWN', 'ENOTCONN')) {
    return new PlimsollError('PLIMSOLL_STORAGE_UNREACHABLE', `Files cannot be reached in ${said}.`, options)
  }
  return new PlimsollError('PLIMSOLL_STORAGE_UNAVAILABLE', `Files cannot be kept in ${said}.`, options)
}

/** Something in the folder is not as this driver leaves it. */
export function damaged(path: string, reason: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_STORAGE_UNAVAILABLE', `${path} ${reason}.`, { details: { path } })
}
