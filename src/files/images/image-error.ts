import type { ErrorCode } from '../../core/error-codes.ts'
import { PlimsollError } from '../../core/errors.ts'

/** What may be said of an image. */
export type ImageErrorCode = Extract<ErrorCode, `PLIMSOLL_IMAGE${string}`>

/** It will be the same image at the next attempt. */
const final: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['PLIMSOLL_IMAGE_INVALID', 'PLIMSOLL_IMAGE_TOO_LARGE'])

/** An error of an image; jobs do not try again what cannot end otherwise. */
export function imageError(code: ImageErrorCode, message: string): PlimsollError {
  const error = new PlimsollError(code, message)
  return final.has(code) ? Object.assign(error, { retryable: false }) : error
}

/** The process that read the image has ended: of what is in it, or because the system had no memory left for anybody. */
export function imageCrash(message: string, cause?: unknown): PlimsollError {
  return new PlimsollError('PLIMSOLL_IMAGE_INVALID', message, { cause })
}
