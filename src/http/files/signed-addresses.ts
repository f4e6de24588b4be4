import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Duration } from '../../core/duration.ts'
import { PlimsollError } from '../../core/errors.ts'
import { checkPart } from '../../files/check-options.ts'
import type {
  DirectAccess,
  SignedForm,
  SignedRequest,
  SignGetOptions,
  SignPartOptions,
  SignPutOptions,
  UploadRef,
} from '../../files/contract.ts'
import { checkAnnounced } from '../../files/file-body.ts'
import { uploadNotFound } from '../../files/file-errors.ts'
import { checkFacts, checkHeader } from '../../files/object-facts.ts'
import { checkKey } from '../../files/object-key.ts'
import { bytesOf, checkFormKey, checkSizes, secondsOf } from '../../files/sign-options.ts'

/** What a signed address allows; sizes are bytes. */
export type Grant =
  | ({ readonly does: 'get'; readonly key: string } & Omit<SignGetOptions, 'expires'>)
  | ({ readonly does: 'put'; readonly key: string; readonly size: number } & Omit<SignPutOptions, 'expires' | 'size'>)
  | {
      readonly does: 'post'
      readonly key: string
      readonly minBytes: number
      readonly maxBytes: number
      readonly type: string
    }
  | ({
      readonly does: 'part'
      readonly key: string
      readonly upload: string
      readonly number: number
      readonly size: number
    } & Omit<SignPartOptions, 'expires' | 'size'>)

/** Until when an address holds. */
export interface Held {
  /** Epoch milliseconds. */
  readonly until: number
}

/** Signed addresses of this application, for storages that have none of their own. */
export interface SignedAddresses extends DirectAccess {
  /** Where they begin: where the routes are. */
  readonly url: string
  /** What a token allows, if it was signed here for that and holds still. @throws PLIMSOLL_SIGNATURE_INVALID, which says nothing more */
  read<Does extends Grant['does']>(token: unknown, does: Does): Extract<Grant, { does: Does }> & Held
}

/** As many as a folder takes; a store that takes fewer says so when they come. */
const mostParts = 10_000

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
  const signatureOf = (payload: string): string => createHmac('sha256', key).update(payload).digest('base64url')

  function tokenOf(grant: Grant, expires: Duration): string {
    const until = Date.now() + secondsOf(expires) * 1000
    const payload = Buffer.from(JSON.stringify({ ...grant, until })).toString('base64url')
    return `${payload}.${signatureOf(payload)}`
  }
  const addressOf = (grant: Grant, expires: Duration): string => `${url}?token=${tokenOf(grant, expires)}`

  return Object.freeze<SignedAddresses>({
    url,
    async signGet(file, { expires, disposition, type, cacheControl }) {
      checkKey(file)
      for (const [name, value] of Object.entries({ disposition, type, cacheControl })) checkHeader(name, value)
      return addressOf({ does: 'get', key: file, disposition, type, cacheControl }, expires)
    },
    async signPut(file, { expires, once = true, ...options }): Promise<SignedRequest> {
      checkKey(file)
      const { type } = checkFacts({ type: options.type })
      const size = bytesOf(options.size, 'size')
      const sums = checkAnnounced({ ...options, key: file, size, mostBytes: Number.MAX_SAFE_INTEGER })
      const address = addressOf({ does: 'put', key: file, size, type, ...sums, once }, expires)
      return { method: 'PUT', url: address, headers: { 'content-type': type } }
    },
    async signPost(file, { expires, ...options }): Promise<SignedForm> {
      checkFormKey(file)
      const { type } = checkFacts({ type: options.type })
      return {
        url,
        fields: { token: tokenOf({ does: 'post', key: file, type, ...checkSizes({ ...options, expires }) }, expires) },
      }
    },
    async signPart(upload: UploadRef, number, { expires, offset, ...options }): Promise<SignedRequest> {
      checkKey(upload.key)
      if (upload.id === '') throw uploadNotFound(upload)
      checkPart(number, { offset, mostParts })
      const size = bytesOf(options.size, 'size')
      const sums = checkAnnounced({ ...options, key: upload.key, size, mostBytes: Number.MAX_SAFE_INTEGER })
      const grant: Grant = { does: 'part', key: upload.key, upload: upload.id, number, size, offset, ...sums }
      return { method: 'PUT', url: addressOf(grant, expires), headers: {} }
    },
    async checksumsOfPuts() {
      return ['sha256', 'crc32c']
    },
    async checksumsOfParts() {
      return ['sha256', 'crc32c']
    },
    read(token, does) {
      const [payload, signature, more] = typeof token === 'string' ? token.split('.') : []
      if (payload === undefined || signature === undefined || more !== undefined) throw invalid()
      // As text: other letters can stand for the same bytes.
      const expected = Buffer.from(signatureOf(payload))
      const given = Buffer.from(signature)
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
