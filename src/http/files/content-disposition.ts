import { safeFileName } from './file-name.ts'

/** Whether a browser shows a file or stores it. */
export type Disposition = 'inline' | 'attachment'

/**
 * A Content-Disposition header (RFC 6266) under a name that is safe to store a file by. One that ASCII cannot spell is in `filename*` (RFC
 * 8187) too, which goes before; so is one with a percent sign, which some browsers decode.
 *
 * @example contentDisposition('attachment', 'naïve.pdf') // → `attachment; filename="na_ve.pdf"; filename*=UTF-8''na%C3%AFve.pdf`
 */
export function contentDisposition(kind: Disposition, name: string): string {
  const safe = safeFileName(name)
  const plain = safe.replace(/[^\x20-\x24\x26-\x7E]/gu, '_')
  // No quote and no backslash is left in a safe name.
  const header = `${kind}; filename="${plain}"`
  return plain === safe ? header : `${header}; filename*=UTF-8''${encodeValue(safe)}`
}

/** As `ext-value` has it: all but attr-char is percent-encoded (RFC 8187, section 3.2.1). */
function encodeValue(text: string): string {
  return encodeURIComponent(text).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
