import type { FastifyRequest } from 'fastify'
import type { FileStore } from '../../files/contract.ts'
import { isKey } from '../../files/index.ts'
import { isInternal } from '../../files/internal-folders.ts'

/** Slashes of either kind and NUL: spelled so, a name would be a path, or end before its end. */
const disguised = /%(?:2f|5c|00)/i

/**
 * The key that the rest of a request's path names, under `prefix`; undefined when it can be none: with empty parts, `.` or `..`, a
 * backslash, controls, or a slash that is spelled otherwise. The router has decoded it once, and nobody decodes it again.
 * Nor can it be one of what the store keeps for the framework itself, which is nobody's file.
 */
export function requestKey(
  request: FastifyRequest,
  { store, prefix = '' }: { readonly store: FileStore; readonly prefix?: string },
): string | undefined {
  const path = request.raw.url?.split(/[?#]/, 1)[0] ?? ''
  if (disguised.test(path)) return undefined
  const rest = (request.params as { readonly '*': string })['*']
  const key = `${prefix}${rest}`
  return isKey(key) && !isInternal(key, store) ? key : undefined
}
