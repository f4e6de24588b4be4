import { join } from 'node:path'

/**
 * How keys become paths. Each part of a key is a folder, the last one a file, the *record*:
 *
 * - `videos/7/master.m3u8` is `videos/7/master.m3u8%.json`, so that `a` and `a/b` do not meet.
 * - Bytes other than letters, digits, `.`, `_` and `-` are `%XX`: no file system changes or refuses these names.
 * - A part of more than 80 bytes is cut: `<80 bytes>%-/<the rest>`, since no file system takes names of more than 255 bytes.
 *
 * Where a file system does not tell capitals from small letters, keys that differ in them alone meet: that is not supported.
 */
export function recordPath(folder: string, key: string): string {
  const parts = key.split('/')
  const last = pieces(parts.pop()!)
  return join(folder, ...parts.flatMap(folderNames), ...last.slice(0, -1).map(cutName), `${last.at(-1)}${recordSuffix}`)
}

/** The folder of what begins with a text that ends with a slash, or is empty. */
export function folderPath(folder: string, base: string): string {
  return join(folder, ...base.split('/').slice(0, -1).flatMap(folderNames))
}

/** What a name in a folder of records stands for. */
export interface KeyEntry {
  /** `record`: an object. `folder`: what has a slash behind the name. `rest`: what goes on without one. */
  readonly kind: 'record' | 'folder' | 'rest'
  /** The bytes of the key that it adds, without a slash. */
  readonly name: Buffer
}

/** Reads a name; undefined for one that is none of ours. */
export function parseName(name: string, isFolder: boolean): KeyEntry | undefined {
  const suffix = isFolder ? (name.endsWith(cutSuffix) ? cutSuffix : '') : recordSuffix
  if (!name.endsWith(suffix)) return undefined
  const encoded = name.slice(0, name.length - suffix.length)
  const bytes = decode(encoded)
  if (bytes.length === 0 || encode(bytes) !== encoded) return undefined
  return { kind: !isFolder ? 'record' : suffix === '' ? 'folder' : 'rest', name: bytes }
}

const most = 80
const recordSuffix = '%.json'
const cutSuffix = '%-'

function folderNames(part: string): string[] {
  const all = pieces(part)
  return [...all.slice(0, -1).map(cutName), all.at(-1)!]
}

function cutName(piece: string): string {
  return `${piece}${cutSuffix}`
}

function pieces(part: string): string[] {
  const bytes = Buffer.from(part)
  const count = Math.ceil(bytes.length / most)
  return Array.from({ length: count }, (_, n) => encode(bytes.subarray(n * most, (n + 1) * most)))
}

function encode(bytes: Buffer): string {
  const text = bytes.latin1Slice(0, bytes.length)
  return text.replace(
    /[^A-Za-z0-9._-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

function decode(text: string): Buffer {
  const plain = text.replace(/%([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
  return Buffer.from(plain, 'latin1')
}
