import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { basename } from 'node:path'

const generated = new URL('../generated/', import.meta.url)

/**
 * A file of the bench, and those it imports, as plain JavaScript: for processes whose memory is measured, of which Node's own stripping of
 * types would be a third.
 */
export function stripTypes(file: URL): URL {
  const text = stripTypeScriptTypes(readFileSync(file, 'utf8'))
  const resolved = text.replace(
    /from '(\.{1,2}\/[^']+\.ts)'/g,
    (_, path: string) => `from '${stripTypes(new URL(path, file)).href}'`,
  )
  mkdirSync(generated, { recursive: true })
  const stripped = new URL(basename(file.pathname).replace(/\.ts$/, '.mjs'), generated)
  writeFileSync(stripped, resolved)
  return stripped
}
