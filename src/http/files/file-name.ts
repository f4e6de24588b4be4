/** As long as most file systems take, with room for what browsers add, such as ` (1)` and `.crdownload`. In bytes of UTF-8. */
const longest = 200
/** An extension is kept whole when a name is cut, unless it is longer than this. */
const longestExtension = 20

// Controls, and marks that have a text read in another order than it is written: `photo\u202Egpj.exe` looks like `photoexe.jpg`.
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const unseen = /[\u0000-\u001F\u007F-\u009F\u200B\u200E\u200F\u2028-\u202E\u2060-\u2069\uFEFF\uFFF9-\uFFFB]/g
/** What Windows refuses in names, and shells would read as something else. */
const reserved = /[<>:"|?*]/g
/** Devices of Windows, with whatever extension. */
const device = /^(?:con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/i

/**
 * A name under which a file can be stored anywhere: its last path part, without controls, marks of direction and what Windows refuses,
 * in Unicode's NFC, at most 200 bytes of UTF-8. Never empty, `.` or `..`, and never one that hides itself by a dot.
 *
 * @example safeFileName('../../etc/passwd') // → 'passwd'
 */
export function safeFileName(name: string, fallback = 'download'): string {
  // Lone surrogates have no UTF-8.
  const whole = name.toWellFormed().replaceAll('\uFFFD', '_').normalize('NFC')
  const last = whole.split(/[/\\]/).findLast((part) => part.trim() !== '') ?? ''
  const plain = tidy(last.replace(unseen, '').replace(reserved, '_').replace(/\s+/g, ' '))
  const short = tidy(cut(plain.replace(device, (found) => `_${found}`)))
  return short === '' ? fallback : short
}

/** Without blanks and dots at its ends: Windows drops them behind, and a dot before hides a file. */
function tidy(name: string): string {
  return name.replace(/^[\s.]+|[\s.]+$/g, '')
}

function cut(name: string): string {
  if (Buffer.byteLength(name) <= longest) return name
  const extension = /\.[^.]+$/.exec(name)?.[0] ?? ''
  const kept = Buffer.byteLength(extension) <= longestExtension ? extension : ''
  let bytes = longest - Buffer.byteLength(kept)
  let short = ''
  for (const character of name) {
    bytes -= Buffer.byteLength(character)
    if (bytes < 0) break
    short += character
  }
  return short + kept
}
