import type { FastifyRequest } from 'fastify'
import { isKey } from '../../files/index.ts'
import { waitingFolder } from '../../files/uploads/upload-row.ts'
import { workFolder } from '../../files/video/work-files.ts'

/** Slashes of either kind and NUL: spelled so, a name would be a path, or end before its end. */
const disguised = /%(?:2f|5c|00)/i

/**
 * The key that the rest of a request's path names, under `prefix`; undefined when it can be none: with empty parts, `.` or `..`, a
 * backslash, controls, or a slash that is spelled otherwise. The router has decoded it once, and nobody decodes it again.
 */
export function requestKey(request: FastifyRequest, prefix: string): string | undefined {
  const path = request.raw.url?.split(/[?#]/, 1)[0] ?? ''
  if (disguised.test(path)) return undefined
  const rest = (request.params as { readonly '*': string })['*']
  const key = `${prefix}${rest}`
  // What waits to be verified, and what is half encoded, is nobody's file yet.
  return isKey(key) && !key.startsWith(waitingFolder) && !key.startsWith(workFolder) ? key : undefined
}
