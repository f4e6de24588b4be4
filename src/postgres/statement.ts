import { createHash } from 'node:crypto'
import type { Statement } from './contract.ts'

/**
 * Makes a {@link Statement} from SQL text. Its name is a hash of the text, so every process and every connection gives
 * the same text the same name. `prepare: false` (default true) runs it unnamed, for text that will not be run again;
 * `readOnly: true` (default false) says that running it twice changes nothing; `tracked: true` (default false) says that
 * whoever runs it reports what it writes.
 *
 * @example
 * const byId = createStatement('select id, title from posts where id = $1')
 */
export function createStatement(
  text: string,
  options: { readonly prepare?: boolean; readonly readOnly?: boolean; readonly tracked?: boolean } = {},
): Statement {
  const name =
    options.prepare === false
      ? undefined
      : `plimsoll_${createHash('sha256').update(text).digest('base64url').slice(0, 24)}`
  return Object.freeze({ text, name, readOnly: options.readOnly ?? false, tracked: options.tracked ?? false })
}
