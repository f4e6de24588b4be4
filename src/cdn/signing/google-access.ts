import { createPrivateKey, sign, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { CdnSettings } from '../settings.ts'

/** Resolves to an access token of Google's APIs. */
export type GoogleAccess = (signal: AbortSignal) => Promise<string>

/** What a file of keys of a service account holds, as far as it matters here. */
interface ServiceAccount {
  readonly email: string
  readonly key: KeyObject
  readonly tokenUrl: string
}

const scope = 'https://www.googleapis.com/auth/cloud-platform'
/** A token is not used in its last minute. */
const slackMs = 60_000

/**
 * Who we are to Google: a service account, whose JSON is in `CDN_CREDENTIALS` or in the file that `GOOGLE_APPLICATION_CREDENTIALS` names;
 * with `credentials=metadata` the account of the machine. Undefined when there is none.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function googleAccess(settings: CdnSettings): GoogleAccess | undefined {
  if (settings.choice('credentials', ['account', 'metadata'], 'account') === 'metadata') {
    return keeping((signal) => askMetadata(settings.secret('GCE_METADATA_HOST') ?? 'metadata.google.internal', signal))
  }
  const file = settings.secret('GOOGLE_APPLICATION_CREDENTIALS')
  const json = settings.secret('CDN_CREDENTIALS') ?? (file === undefined ? undefined : readFile(file, settings))
  if (json === undefined) return undefined
  const account = readAccount(json, settings)
  return keeping((signal) => exchange(account, signal))
}

interface Token {
  readonly text: string
  readonly seconds: number
}

/** Asks for a token when there is none, or none that is good for long. */
function keeping(ask: (signal: AbortSignal) => Promise<Token>): GoogleAccess {
  let kept: { readonly text: string; readonly until: number } | undefined
  return async (signal) => {
    if (kept !== undefined && performance.now() < kept.until) return kept.text
    const { text, seconds } = await ask(signal)
    kept = { text, until: performance.now() + seconds * 1000 - slackMs }
    return text
  }
}

function readFile(path: string, settings: CdnSettings): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw settings.invalid('the file that GOOGLE_APPLICATION_CREDENTIALS names cannot be read', error)
  }
}

function readAccount(json: string, settings: CdnSettings): ServiceAccount {
  try {
    const { client_email: email, private_key: key, token_uri: tokenUrl } = JSON.parse(json) as Record<string, unknown>
    if (typeof email !== 'string' || typeof key !== 'string')
      throw new Error('It holds no client_email and private_key.')
    return {
      email,
      key: createPrivateKey(key),
      tokenUrl: typeof tokenUrl === 'string' ? tokenUrl : 'https://oauth2.googleapis.com/token',
    }
  } catch {
    // Neither the text nor what a parser says of it: both hold the key.
    throw settings.invalid("the credentials of Google are not the JSON of a service account's key")
  }
}

/** Signs a JSON Web Token by the account's key, and exchanges it (RFC 7523). */
async function exchange({ email, key, tokenUrl }: ServiceAccount, signal: AbortSignal): Promise<Token> {
  const issued = Math.floor(Date.now() / 1000)
  const claims = { iss: email, scope, aud: tokenUrl, iat: issued, exp: issued + 3600 }
  const text = [{ alg: 'RS256', typ: 'JWT' }, claims].map((part) => base64url(JSON.stringify(part))).join('.')
  const assertion = `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
  const body = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion })
  return readToken(await fetch(tokenUrl, { method: 'POST', body, signal }))
}

async function askMetadata(host: string, signal: AbortSignal): Promise<Token> {
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`
  return readToken(await fetch(url, { headers: { 'metadata-flavor': 'Google' }, signal }))
}

async function readToken(response: Response): Promise<Token> {
  const text = await response.text()
  if (!response.ok) throw new Error(`Google gave no access token: ${response.status} ${text.slice(0, 200)}`)
  const { access_token: token, expires_in: seconds } = JSON.parse(text) as Record<string, unknown>
  if (typeof token !== 'string') throw new Error('Google answered without an access token.')
  return { text: token, seconds: Number(seconds) || 0 }
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url')
}
