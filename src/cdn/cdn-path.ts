import { PlimsollError, showValue } from '../core/errors.ts'

/**
 * A path as it stands in an address, from its first slash on. What providers give a meaning of its own in what they sign (`*`, `~`, `!` …)
 * is encoded too.
 *
 * @throws PLIMSOLL_OPTION_INVALID for a path that would be another one to a browser or an edge: with an empty part, `.` or `..`, control
 *   characters, or half a surrogate pair
 */
export function encodeCdnPath(path: string): string {
  const parts = (path.startsWith('/') ? path.slice(1) : path).split('/')
  const last = parts.length - 1
  const odd = parts.some((part, i) => (part === '' && i < last) || part === '.' || part === '..')
  // oxlint-disable-next-line no-control-regex
  if (path === '' || odd || /[\u0000-\u001F\u007F]/.test(path) || !path.isWellFormed()) throw pathError(path)
  return `/${parts.map(encodePart).join('/')}`
}

/** What names others beside it: the manifests of HLS and DASH. */
const manifest = /\.(?:m3u8|mpd)$/i

/**
 * The folder that is opened for a path, encoded, with slashes at both ends: `folder`, else the one that a manifest is in, or that the path is
 * itself, by a slash at its end. Of any other file nobody knows what else is beside it.
 *
 * @throws PLIMSOLL_OPTION_INVALID when the path is not in it, or no manifest and without a folder
 */
export function encodeCdnFolder(path: string, folder: string | undefined): string {
  const encoded = encodeCdnPath(path)
  const own =
    folder === undefined
      ? encoded.slice(0, encoded.lastIndexOf('/') + 1)
      : `${encodeCdnPath(folder).replace(/\/$/, '')}/`
  if (folder === undefined && own !== '/' && !path.endsWith('/') && !manifest.test(path)) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `The path ${showValue(path)} is no manifest (.m3u8, .mpd), and everything beside it would be opened; sign its own address by cdn.url(path, { private: true }), or say which folder is meant.`,
      { details: { option: 'folder' } },
    )
  }
  if (own !== '/' && encoded.startsWith(own)) return own
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    own === '/'
      ? `The path ${showValue(path)} is in no folder, and nobody is to be let into all of them; give it one, such as 'videos/7/'.`
      : `The path ${showValue(path)} is not in the folder ${showValue(folder)} that is to be opened.`,
    { details: { option: 'folder' } },
  )
}

/** Percent-encodes everything but letters, digits, `-`, `_` and `.`. */
export function encodePart(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*~]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
}

function pathError(path: string): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `The path ${showValue(path)} cannot be an address at a CDN; give parts between single slashes, none of them '.' or '..', and no control characters.`,
    { details: { option: 'path' } },
  )
}
