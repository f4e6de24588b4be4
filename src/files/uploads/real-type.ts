import { fileTypeFromBuffer, supportedMimeTypes } from 'file-type'

/** How much of a file is looked at, in bytes. */
export const headBytes = 65_536

/** Names of one thing, or of containers that hold pictures or only sound: what the client says decides among them. */
const families = [
  ['video/mp4', 'audio/mp4', 'audio/x-m4a', 'audio/aac', 'video/x-m4v', 'video/quicktime', 'video/3gpp', 'audio/3gpp'],
  ['video/webm', 'audio/webm', 'video/matroska', 'video/x-matroska', 'audio/x-matroska', 'audio/matroska'],
  ['audio/ogg', 'video/ogg', 'application/ogg', 'audio/opus', 'audio/ogg; codecs=opus'],
  ['audio/wav', 'audio/wave', 'audio/x-wav', 'audio/vnd.wave'],
  ['audio/flac', 'audio/x-flac'],
  ['audio/mpeg', 'audio/mp3'],
  ['video/mpeg', 'video/MP1S', 'video/MP2P', 'video/mp2t'],
  ['application/gzip', 'application/x-gzip'],
  ['application/zip', 'application/x-zip-compressed'],
  ['image/heic', 'image/heif', 'image/heic-sequence', 'image/heif-sequence'],
  ['image/bmp', 'image/x-ms-bmp'],
  ['image/vnd.microsoft.icon', 'image/x-icon'],
  ['application/x-cfb', 'application/msword', 'application/vnd.ms-excel', 'application/vnd.ms-powerpoint'],
].map((names) => new Set(names))

/** Texts are recognised by nothing but what they are not. */
const textual =
  /^(?:text\/[\w.+-]+|application\/(?:json|[\w.-]+\+json|csv|x-ndjson|x-subrip|sql|toml|yaml|vnd\.apple\.mpegurl))$/

/**
 * The media type that the first bytes of a file say it is; undefined when they are not what the client says, and nothing that we know. A
 * page or a drawing is one also when it is called a picture: what a browser would run is never taken for anything else, but for plain text
 * that says it is such.
 */
export async function realType(head: Uint8Array, declared: string): Promise<string | undefined> {
  const found = await fileTypeFromBuffer(head).catch(() => undefined)
  const detected = found?.mime
  if (detected !== undefined && detected !== 'application/xml') {
    return families.some((family) => family.has(detected) && family.has(declared))
      ? declared
      : detected.split(';', 1)[0]!
  }
  const text = sample(head)
  const markup = markupType(text)
  const plainly = textual.test(declared) && declared !== 'text/html' && !declared.includes('xml')
  if (markup !== undefined && !plainly) {
    // Some types are XML by another name, and say so.
    const named =
      markup === 'application/xml' &&
      (declared.endsWith('+xml') || declared === 'text/xml') &&
      declared !== 'image/svg+xml'
    return named ? declared : markup
  }
  if (textual.test(declared)) return text.includes('\0') && !/^[\uFEFF\uFFFE]/.test(text) ? undefined : declared
  if (declared === 'application/octet-stream') return declared
  // What has a signature has not this one.
  return supportedMimeTypes.has(declared) || /^(?:image|video|audio|font)\//.test(declared) ? undefined : declared
}

/** The beginning as a browser would read it: UTF-16 without its NULs is ASCII again. */
function sample(head: Uint8Array): string {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 4096))
  if (bytes.length >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))) {
    return bytes.toString('latin1').slice(2).replaceAll('\0', '')
  }
  return bytes.toString('latin1')
}

/** What a browser takes for a page (https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type), and SVG, wherever it begins. */
function markupType(text: string): 'text/html' | 'image/svg+xml' | 'application/xml' | undefined {
  const begin = text.replace(/^(?:\u00EF\u00BB\u00BF)?[\t\n\f\r ]*/, '')
  if (/<svg[\s>/]|<[\w-]+:svg[\s>]/i.test(text)) return 'image/svg+xml'
  if (
    /^<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|!--|meta|link|form|base|object|embed|img)[\s>/]/i.test(
      begin,
    )
  ) {
    return 'text/html'
  }
  if (begin.startsWith('<!--') || /<(?:script|iframe|html)[\s>]/i.test(begin.slice(0, 1024))) return 'text/html'
  return /^<\?xml[\s?]/i.test(begin) ? 'application/xml' : undefined
}

/**
 * What else than a picture a file wants to be as well: a page, a PDF or an archive, of which readers look for the first in a picture's
 * beginning, for the last at its end. Such a file is harmless as a picture, and a weapon as soon as somebody serves it as the other thing.
 */
export function secondNature(head: Uint8Array, tail: Uint8Array): string | undefined {
  const begin = Buffer.from(head.subarray(0, 1024)).toString('latin1')
  if (begin.includes('%PDF-')) return 'a PDF'
  if (/<(?:script|html|iframe|svg|!doctype)[\s>]/i.test(begin)) return 'a page'
  return Buffer.from(tail).includes('PK\u0005\u0006', 'latin1') ? 'an archive' : undefined
}
