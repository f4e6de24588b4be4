/** What XML 1.0 has no way to say. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const illegal = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g
const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

/**
 * A text as XML takes it: characters that there are none of in XML are left out, halves of pairs are U+FFFD, line ends are LF. What
 * spreadsheets read as an escape (`_x0041_` is an A to them; ECMA-376, 22.9.2.19) is escaped itself.
 */
export function xmlText(text: string): string {
  return text
    .toWellFormed()
    .replace(illegal, '')
    .replace(/\r\n?/g, '\n')
    .replace(/_(?=x[\dA-Fa-f]{4}_)/g, '_x005F_')
    .replace(/[&<>"]/g, (character) => escapes[character]!)
}
