import { createHmac, timingSafeEqual } from 'node:crypto'
import { PlimsollError } from '../../core/errors.ts'
import type {
  DirectAccess,
  SignedForm,
  SignedRequest,
  SignGetOptions,
  SignPartOptions,
  SignPostOptions,
  SignPutOptions,
  UploadRef,
} from '../../files/contract.ts'

/** What a signed address allows. */
export type Grant =
  | ({ readonly does: 'get'; readonly key: string } & Omit<SignGetOptions, 'expiresMs'>)
  | ({ readonly does: 'put'; readonly key: string } & Omit<SignPutOptions, 'expiresMs'>)
  | ({ readonly does: 'post'; readonly key: string } & Omit<SignPostOptions, 'expiresMs'>)
  | ({ readonly does: 'part'; readonly key: string; readonly upload: string; readonly number: number } & Omit<
      SignPartOptions,
      'expiresMs'
    >)

/** Until when an address holds. */
export interface Held {
  /** Epoch milliseconds. */
  readonly until: number
}

/** Signed addresses of this application, for storages that have none of their own. */
export interface SignedAddresses extends DirectAccess {
  /** What a token allows, if it was signed here for that and holds still. @throws PLIMSOLL_SIGNATURE_INVALID, which says nothing more */
  read<Does extends Grant['does']>(token: unknown, does: Does): Extract<Grant, { does: Does }> & Held
}

/** What {@link signedAddresses} is given. */
export interface SignedAddressOptions {
  /** The application's. */
  readonly secret: string
  /** Where the routes are: a path, or an address with an origin for clients elsewhere. */
  readonly url: string
}

/**
 * Makes and reads addresses that carry what they allow, until when, and an HMAC-SHA-256 of both under a key derived from the application's
 * secret. Nothing is stored, so that any process with the secret can read what another has made.
 */
export function signedAddresses({ secret, url }: SignedAddressOptions): SignedAddresses {
  const key = createHmac('sha256', secret).update('plimsoll: addresses of files').digest()
  const signatureOf = (payload: string): Buffer => createHmac('sha256', key).update(payload).digest()

  function tokenOf(grant: Grant, expiresMs: number): string {
    const payload = Buffer.from(JSON.stringify({ ...grant, until: Date.now() + expiresMs })).toString('base64url')
    return `${payload}.${signatureOf(payload).toString('base64url')}`
  }
  const addressOf = (grant: Grant, expiresMs: number): string => `${url}?token=${tokenOf(grant, expiresMs)}`

  return Object.freeze<SignedAddresses>({
    async signGet(file, { expiresMs, ...options }) {
      return addressOf({ does: 'get', key: file, ...options }, expiresMs)
    },
    async signPut(file, { expiresMs, once = true, ...options }): Promise<SignedRequest> {
      const address = addressOf({ does: 'put', key: file, once, ...options }, expiresMs)
      return { method: 'PUT', url: address, headers: { 'content-type': options.type } }
    },
    async signPost(file, { expiresMs, ...options }): Promise<SignedForm> {
      return { url, fields: { token: tokenOf({ does: 'post', key: file, ...options }, expiresMs) } }
    },
    async signPart(upload: UploadRef, number, { expiresMs, ...options }): Promise<SignedRequest> {
      const address = addressOf({ does: 'part', key: upload.key, upload: upload.id, number, ...options }, expiresMs)
      return { method: 'PUT', url: address, headers: {} }
    },
    read(token, does) {
      const [payload, signature, more] = typeof token === 'string' ? token.split('.') : []
      if (payload === undefined || signature === undefined || more !== undefined) throw invalid()
      const expected = signatureOf(payload)
      const given = Buffer.from(signature, 'base64url')
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw invalid()
      const grant = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Grant & Held
      if (grant.until < Date.now() || grant.does !== does) throw invalid()
      return grant as Extract<Grant, { does: typeof does }> & Held
    },
  })
}

function invalid(): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_SIGNATURE_INVALID',
    'The address is not valid, or not any more. Ask for a new one.',
  )
}
