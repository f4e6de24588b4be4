import type { CdnCookie, CdnFeatures } from './contract.ts'
import type { PurgeApi } from './purge/purge-api.ts'

/** What of a provider may be missing. */
export type CdnFeature = 'signs' | 'grants' | 'purgesTags' | 'purgesUrls' | 'bindsIp'

/** An address to be signed. */
export interface SignTarget {
  /** The scheme and host, such as `https://cdn.example.com`. */
  readonly origin: string
  /** From the first slash on, encoded. */
  readonly path: string
  /** Behind the question mark, encoded; `''` when there is none. */
  readonly query: string
  /** Epoch seconds. */
  readonly expiresAt: number
  readonly ip: string | undefined
}

/** A folder to be opened. */
export interface GrantTarget extends Omit<SignTarget, 'query'> {
  /** The beginning of the path, encoded, with slashes at both ends. */
  readonly folder: string
}

/** What a provider makes of its settings. What it does not do is undefined. */
export interface Provider {
  readonly tagHeader?: CdnFeatures['tagHeader']
  /** Names of parameters that are its own. */
  readonly reserved?: readonly string[]
  readonly bindsIp?: boolean
  /** Resolves to the whole address. */
  readonly sign?: ((target: SignTarget) => string) | undefined
  readonly grants?: 'path' | 'cookies' | undefined
  readonly grant?:
    | ((target: GrantTarget) => { readonly url: string; readonly cookies: readonly CdnCookie[] })
    | undefined
  readonly purgeTags?: PurgeApi | undefined
  readonly purgeUrls?: PurgeApi | undefined
  /** For what is missing: what to do about it, as a sentence. */
  readonly fixes: Readonly<Partial<Record<CdnFeature, string>>>
}
