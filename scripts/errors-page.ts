import { errorCodes } from '../src/core/error-codes.ts'

/** The text of docs/errors.md: every code with its status, what it means and the fix. */
export function errorsPage(): string {
  const sections = Object.entries(errorCodes).map(
    ([code, { status, title, fix }]) => `## ${code}\n\n${title}. HTTP status ${status}.\n\n**Fix:** ${fix}\n`,
  )
  return [introduction, ...sections].join('\n')
}

const introduction = `# Errors

Every error that Plimsoll throws is a \`PlimsollError\`: \`code\` is one of the codes below and never changes its meaning,
\`message\` holds the offending value (secrets redacted), \`fix\` says what to do, \`status\` is the HTTP status, and \`details\`
carries the same facts for machines. Over HTTP an error is an [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem
document with the same \`code\`.

This page is made from \`src/core/error-codes.ts\` by \`npm run errors\`.
`
