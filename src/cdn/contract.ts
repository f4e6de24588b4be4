import type { Duration } from '../core/duration.ts'

/**
 * What a content delivery network does for us: it serves what the application or the storage has, under addresses of its own, some of
 * them signed; and drops what has changed when it is told so, by address or by tag.
 */
export interface Cdn extends Disposable {
  readonly provider: CdnProvider
  readonly features: CdnFeatures

  /**
   * The address of a path at the CDN. The path is a key, such as that of a file: not encoded, and with or without a slash before it.
   *
   * @example cdn.url('videos/7/poster.jpg', { private: true, expires: '2h' })
   * @throws PLIMSOLL_CDN_UNSUPPORTED when a signature was asked for and the provider, or what was configured, has none;
   *   PLIMSOLL_OPTION_INVALID for a path, a duration or an address of a client that is none
   */
  url(path: string, options?: CdnUrlOptions): string

  /**
   * What opens everything under a folder, for players that fetch segments by relative addresses: an address whose path holds the token,
   * or cookies to set beside a plain address.
   *
   * @example cdn.grant('videos/7/master.m3u8', { expires: '4h' })
   * @throws PLIMSOLL_CDN_UNSUPPORTED; PLIMSOLL_OPTION_INVALID, also for a path that is no manifest without `folder`
   */
  grant(path: string, options?: CdnGrantOptions): CdnGrant

  /**
   * Drops what was made of these tags, at all edges; in requests of the size and at the rate that the provider takes, and again when one
   * fails, for at most 25 s. Writes of an application do this by themselves: see `docs/cdn.md`.
   *
   * @throws PLIMSOLL_CDN_UNSUPPORTED; PLIMSOLL_CDN_UNREACHABLE when it is worth trying later; PLIMSOLL_CDN_REFUSED when it is not
   */
  purgeTags(tags: readonly string[], options?: PurgeOptions): Promise<void>

  /**
   * Drops these addresses: whole ones at the CDN, or paths as `url` takes them.
   *
   * @throws as `purgeTags` does
   */
  purgeUrls(urls: readonly string[], options?: PurgeOptions): Promise<void>

  /** Ends purges that are under way or wait for their turn: they reject with PLIMSOLL_CDN_UNREACHABLE. */
  close(): void
}

/** Who runs the edges. `none`: nobody, and addresses are paths of the application. */
export type CdnProvider =
  | 'cloudfront'
  | 'cloudflare'
  | 'fastly'
  | 'bunny'
  | 'google'
  | 'google-media'
  | 'akamai'
  | 'nginx'
  | 'varnish'
  | 'none'

/** What a CDN can do, as it is configured. */
export interface CdnFeatures {
  /** It checks signatures, and has what it takes to make them. */
  readonly signs: boolean
  /** How what is under a folder is opened: by a token in the path, by cookies, or not at all. */
  readonly grants: 'path' | 'cookies' | false
  /** Whether a signature can be bound to the address of a client. */
  readonly bindsIp: boolean
  readonly purgesTags: boolean
  readonly purgesUrls: boolean
  /** The header by which answers tell it their tags; undefined when it does not purge by tag. */
  readonly tagHeader: TagHeader | undefined
}

/** How answers tell a CDN what they were made of. */
export interface TagHeader {
  /** In lower case. */
  readonly name: string
  readonly separator: ' ' | ','
  /** Of its value. */
  readonly mostBytes: number
  /** The most tags that the CDN keeps of one answer. Default: any number. */
  readonly mostTags?: number | undefined
  /** How the CDN has a tag spelled, there and in purges. Default: `surrogateKey`. */
  readonly spell?: ((tag: string) => string) | undefined
}

/** How `url` signs. */
export interface CdnUrlOptions {
  /** Signs the address: without a signature the CDN refuses it. Default false. */
  readonly private?: boolean | undefined
  /** How long a signature holds. Default `'1h'`. */
  readonly expires?: Duration | undefined
  /** The address of the client that alone may use it, where the provider checks it. */
  readonly ip?: string | undefined
  /** Parameters of the address, signed with it where the provider signs them. */
  readonly query?: Readonly<Record<string, string>> | undefined
}

/** How `grant` opens a folder. */
export interface CdnGrantOptions extends Omit<CdnUrlOptions, 'private' | 'query'> {
  /** The folder that is opened, such as `'videos/7/'`; the path is in it. Default: that of the manifest (`.m3u8`, `.mpd`) that the path is. */
  readonly folder?: string | undefined
}

/** What opens a folder. */
export interface CdnGrant {
  readonly url: string
  /** Cookies to set with the answer that names `url`, all of them `Secure` and `HttpOnly`; empty where the path holds the token. */
  readonly cookies: readonly CdnCookie[]
  /** Epoch milliseconds. */
  readonly expiresAt: number
}

/** A cookie that a CDN checks. */
export interface CdnCookie {
  readonly name: string
  readonly value: string
  /** The `cookieDomain` of the CDN; undefined when it has the same host as the application. */
  readonly domain: string | undefined
  readonly path: string
}

/** The options of purges. */
export interface PurgeOptions {
  readonly signal?: AbortSignal | undefined
}
