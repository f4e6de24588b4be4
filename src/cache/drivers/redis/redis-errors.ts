import { PlimsollError } from '../../../core/errors.ts'

/** Refusals that concern the server, not the command: a connection to another one, or a later one, may do better. */
const outages = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|NOAUTH|WRONGPASS)\b/

/** True when `error` is a server's answer; else it says that there was none. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError'
}

/** False for an answer that concerns the command alone. */
export function isOutage(error: unknown): boolean {
  return !isReply(error) || outages.test(error.message)
}

/** The address that a cluster names for a slot that has moved (`MOVED`) or is moving (`ASK`). */
export function redirectionOf(
  error: unknown,
): { readonly kind: 'MOVED' | 'ASK'; readonly address: string } | undefined {
  const match = isReply(error) ? /^(MOVED|ASK) \d+ (\S+)/.exec(error.message) : null
  return match === null ? undefined : { kind: match[1] as 'MOVED' | 'ASK', address: match[2]! }
}

/** True for the answer of a server that is no cluster to a command for one. */
export function isNoCluster(error: unknown): boolean {
  return isReply(error) && error.message.includes('cluster support disabled')
}

/** True for what waiting does not mend: the wrong password, the wrong certificate, the wrong kind of server. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof PlimsollError) return error.code !== 'PLIMSOLL_CACHE_UNREACHABLE'
  if (isReply(error)) return /^(WRONGPASS|NOAUTH|NOPERM)\b|invalid password|DB index/i.test(error.message)
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && /^(?:CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|UNABLE_TO|SELF_SIGNED)|_CERT/.test(code)
}
