import { PlimsollError } from '../../core/errors.ts'

const copyWithClient = /^\s*copy\b[^;]*\b(?:from\s+stdin|to\s+stdout)\b/i
const transactionStart = /^\s*(?:begin|start\s+transaction)\b/i
// The letters that a text which either expression matches can begin with: most statements are let through by one look.
const suspicious = /^\s*[bcs]/i

/**
 * Why a statement is not sent at all, or undefined. COPY from the client would take the statements behind it in the
 * pipeline for its data, and COPY to it has nowhere to go; a transaction begun on a shared connection would take the statements of others into it.
 */
export function refusedStatement(text: string, { shared }: { readonly shared: boolean }): PlimsollError | undefined {
  if (!suspicious.test(text)) return undefined
  if (copyWithClient.test(text)) {
    return new PlimsollError(
      'PLIMSOLL_FEATURE_UNSUPPORTED',
      'COPY from and to the client does not go through the door; use createMany and iterate, or a pg.Client of your own with pg-copy-streams.',
      { details: { statement: text } },
    )
  }
  if (shared && transactionStart.test(text)) {
    return new PlimsollError(
      'PLIMSOLL_QUERY_INVALID',
      'A transaction cannot be begun by hand on a connection that others share; use db.transaction or db.drizzle.transaction.',
      { details: { statement: text } },
    )
  }
  return undefined
}
