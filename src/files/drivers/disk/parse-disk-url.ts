import { PlimsollError, showValue } from '../../../core/errors.ts'
import type { DiskStoreOptions } from './disk-store.ts'

/**
 * Reads `file:PATH`, where the path may be relative, or `file:///absolute/path`.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function parseDiskUrl(url: string): DiskStoreOptions {
  const [, path] = /^file:(?:\/\/(?=\/))?([^?#]*)$/i.exec(url) ?? []
  if (path === undefined || path === '' || path.startsWith('//') || path.includes('\0')) {
    throw invalid(url, 'give file:PATH, such as file:.plimsoll/files or file:/var/lib/app/files')
  }
  return { folder: decoded(path) }
}

/** People forget to encode their paths: a stray `%` is taken as it is. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

function invalid(url: string, advice: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `STORAGE_URL is ${showValue(url)}; ${advice}.`, {
    details: { option: 'storageUrl' },
  })
}
