import { createHash, verify, type KeyObject } from 'node:crypto'

/** A request with a signature of version 4 in its query, as it came in. */
export interface SignedCall {
  readonly method: string
  /** The path and the query, as they were sent. */
  readonly target: string
  /** Names in small letters; several values of a name are joined by a comma. */
  readonly headers: Readonly<Record<string, string | undefined>>
}

/** Why a signature does not hold; undefined when it does. */
export type Refusal = 'none' | 'malformed' | 'expired' | 'mismatch' | undefined

/**
 * Checks a signed address as Google documents it: the canonical request is made anew from what was sent, and its signature verified with the public
 * key of the service account.
 */
export function checkSignedCall(
  { method, target, headers }: SignedCall,
  { publicKey, now }: { readonly publicKey: KeyObject; readonly now: Date },
): Refusal {
  const [path = '', search = ''] = target.split('?')
  const all = search.split('&').map((pair) => [pair.split('=')[0]!, pair.split('=')[1] ?? ''] as const)
  const query = new Map(all.map(([name, value]) => [decodeURIComponent(name), decodeURIComponent(value)]))
  const signature = query.get('X-Goog-Signature')
  if (signature === undefined) return 'none'
  const names = (query.get('X-Goog-SignedHeaders') ?? '').split(';')
  const date = query.get('X-Goog-Date') ?? ''
  const scope = `${date.slice(0, 8)}/auto/storage/goog4_request`
  const seconds = Number(query.get('X-Goog-Expires'))
  if (
    query.get('X-Goog-Algorithm') !== 'GOOG4-RSA-SHA256' ||
    !(query.get('X-Goog-Credential') ?? '').endsWith(`/${scope}`) ||
    !names.includes('host') ||
    !/^\d{8}T\d{6}Z$/.test(date) ||
    !(seconds > 0 && seconds <= 604_800)
  ) {
    return 'malformed'
  }
  const canonicalQuery = all
    .filter(([name]) => name !== 'X-Goog-Signature')
    .map(([name, value]) => `${encode(decodeURIComponent(name))}=${encode(decodeURIComponent(value))}`)
    .sort()
    .join('&')
  const lines = names.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/\s+/g, ' ')}\n`)
  const payload = headers['x-goog-content-sha256'] ?? 'UNSIGNED-PAYLOAD'
  const canonical = [method, path, canonicalQuery, lines.join(''), names.join(';'), payload].join('\n')
  const text = ['GOOG4-RSA-SHA256', date, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  if (!isSignedBy(publicKey, text, signature)) return 'mismatch'
  const begin = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  return now.getTime() < begin + seconds * 1000 ? undefined : 'expired'
}

/** Checks the policy of a form; the conditions of it are for the caller. */
export function checkSignedPolicy(
  { policy, signature }: { readonly policy: string; readonly signature: string },
  publicKey: KeyObject,
): boolean {
  return isSignedBy(publicKey, policy, signature)
}

function isSignedBy(publicKey: KeyObject, text: string, signature: string): boolean {
  return /^[0-9a-f]+$/.test(signature) && verify('sha256', Buffer.from(text), publicKey, Buffer.from(signature, 'hex'))
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}
