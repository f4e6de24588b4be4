import { isIP } from 'node:net'
import { parseDuration, type Duration } from '../core/duration.ts'
import { listNames, PlimsollError, showValue } from '../core/errors.ts'
import { redactUrl } from '../core/redact.ts'
import { surrogateKey } from '../schema/index.ts'
import { encodeCdnFolder, encodeCdnPath, encodePart } from './cdn-path.ts'
import type { Cdn, CdnFeatures, CdnProvider, CdnUrlOptions } from './contract.ts'
import type { CdnFeature, Provider } from './provider.ts'
import { akamai } from './providers/akamai.ts'
import { bunny } from './providers/bunny.ts'
import { cloudflare } from './providers/cloudflare.ts'
import { cloudfront } from './providers/cloudfront.ts'
import { fastly } from './providers/fastly.ts'
import { googleMedia } from './providers/google-media.ts'
import { google } from './providers/google.ts'
import { nginx } from './providers/nginx.ts'
import { varnish } from './providers/varnish.ts'
import type { PurgeApi } from './purge/purge-api.ts'
import { Purger } from './purge/purger.ts'
import { CdnSettings } from './settings.ts'

/** The options of {@link openCdn}. */
export interface CdnOptions {
  /**
   * The address that clients know, with the provider and what is no secret behind it: `https://cdn.example.com?provider=fastly&service=…`.
   * What stands before the question mark begins every address. Without it files are served by the application itself.
   */
  readonly url?: string | undefined
  /** Secrets by the names that their variables of the environment have, such as `CDN_KEY`. Default: those variables. */
  readonly secrets?: Readonly<Record<string, string | undefined>> | undefined
}

const providers: Readonly<Record<Exclude<CdnProvider, 'none'>, (settings: CdnSettings) => Provider>> = {
  cloudfront,
  cloudflare,
  fastly,
  bunny,
  google,
  'google-media': googleMedia,
  akamai,
  nginx,
  varnish,
}

/** What an edge of nobody's does: nothing. */
const nobody: Provider = {
  fixes: {
    signs: 'Set CDN_URL',
    grants: 'Set CDN_URL',
    bindsIp: 'Set CDN_URL',
    purgesTags: 'Set CDN_URL',
    purgesUrls: 'Set CDN_URL',
  },
}

/** What the abilities are called in messages. */
const abilities: Readonly<Record<CdnFeature, string>> = {
  signs: 'sign addresses',
  grants: 'open folders',
  bindsIp: 'bind a signature to the address of a client',
  purgesTags: 'purge by tag',
  purgesUrls: 'purge by address',
}

/**
 * Opens a CDN, which sends nothing yet. Secrets come from `secrets` or the environment, never from the URL.
 *
 * @throws PLIMSOLL_OPTION_INVALID for a URL that is none, an unknown provider or parameter, and for half of what an ability needs
 * @example
 * const cdn = openCdn({ url: 'https://cdn.example.com?provider=bunny', secrets: { CDN_KEY: '…' } })
 * cdn.url('videos/7/poster.jpg', { private: true, expires: '2h' })
 */
export function openCdn({ url, secrets = {} }: CdnOptions = {}): Cdn {
  const base = url === undefined || url === '' ? undefined : readBase(url)
  if (base === undefined) return makeCdn('none', { provider: nobody, origin: '', prefix: '' })
  const name = base.searchParams.get('provider') ?? ''
  if (!Object.hasOwn(providers, name)) {
    throw optionError(
      `${describe(url!)}, which names the provider ${showValue(name)}; there are ${listNames(Object.keys(providers))}.`,
    )
  }
  const known = name as Exclude<CdnProvider, 'none'>
  const parameters = base.searchParams
  const settings = new CdnSettings({ url: url!, parameters, secrets, environment: process.env })
  const provider = providers[known](settings)
  settings.checkAllRead()
  return makeCdn(known, { provider, origin: base.origin, prefix: base.pathname.replace(/\/+$/, '') })
}

function readBase(url: string): URL {
  const base = URL.canParse(url) ? new URL(url) : undefined
  if (base === undefined || !/^https?:$/.test(base.protocol) || base.hash !== '')
    throw optionError(`${describe(url)}; give the address of the CDN, such as https://cdn.example.com?provider=fastly.`)
  if (base.username !== '' || base.password !== '')
    throw optionError(
      `${describe(url)}, which holds a password; secrets are variables of the environment, or the option 'secrets'.`,
    )
  return base
}

/** Without its parameters, any of which may be a secret in the wrong place. */
function describe(url: string): string {
  return `CDN_URL is '${redactUrl(url.replace(/\?.*$/s, '?…'))}'`
}

function makeCdn(
  name: CdnProvider,
  { provider, origin, prefix }: { readonly provider: Provider; readonly origin: string; readonly prefix: string },
): Cdn {
  const closing = new AbortController()
  const purgerOf = (by: 'tags' | 'urls', api: PurgeApi | undefined): Purger | undefined =>
    api && new Purger({ provider: name, by, api, closed: closing.signal })
  const tags = purgerOf('tags', provider.purgeTags)
  const urls = purgerOf('urls', provider.purgeUrls)
  const spell = provider.tagHeader?.spell ?? surrogateKey
  const features: CdnFeatures = Object.freeze({
    signs: provider.sign !== undefined,
    grants: (provider.grant !== undefined && provider.grants) || false,
    bindsIp: provider.bindsIp ?? false,
    purgesTags: tags !== undefined,
    purgesUrls: urls !== undefined,
    tagHeader: tags && provider.tagHeader,
  })
  const unsupported = (feature: CdnFeature): PlimsollError => {
    const fix = provider.fixes[feature] ?? 'Use another provider for that'
    const who = name === 'none' ? 'There is no CDN to' : `The CDN '${name}' cannot`
    return new PlimsollError('PLIMSOLL_CDN_UNSUPPORTED', `${who} ${abilities[feature]} as it is configured. ${fix}.`, {
      details: { provider: name, feature, fix },
    })
  }
  const bound = ({
    expires = '1h',
    ip,
  }: Pick<CdnUrlOptions, 'expires' | 'ip'>): { expiresAt: number; ip: string | undefined } => {
    if (ip !== undefined && !features.bindsIp) throw unsupported('bindsIp')
    if (ip !== undefined && isIP(ip) === 0) throw optionError(`ip is ${showValue(ip)}; give the address of a client.`)
    return { expiresAt: Math.ceil((Date.now() + expiryMs(expires)) / 1000), ip }
  }
  /** An address, or a path as `url` takes it, as a whole address. */
  const wholeUrl = (text: string): string => {
    if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return `${origin}${prefix}${encodeCdnPath(text)}`
    if (!URL.canParse(text)) throw optionError(`${showValue(text)} is no address.`)
    const whole = new URL(text)
    if (whole.origin === origin) return whole.href.replace(/#.*$/, '')
    throw optionError(`${showValue(text)} is no address at the CDN, which is ${origin}.`)
  }

  return Object.freeze<Cdn>({
    provider: name,
    features,
    url(path, { private: signed = false, query: parameters = {}, ...options } = {}) {
      const query = Object.entries(parameters)
        .map(([key, value]) => `${encodePart(key)}=${encodePart(value)}`)
        .join('&')
      const encoded = prefix + encodeCdnPath(path)
      if (!signed) return `${origin}${encoded}${query === '' ? '' : `?${query}`}`
      if (provider.sign === undefined) throw unsupported('signs')
      const taken = Object.keys(parameters).find((key) => provider.reserved?.includes(key))
      if (taken !== undefined) throw optionError(`query has ${showValue(taken)}, which ${name} uses for its signature.`)
      return provider.sign({ origin, path: encoded, query, ...bound(options) })
    },
    grant(path, { folder, ...options } = {}) {
      if (provider.grant === undefined) throw unsupported('grants')
      const { expiresAt, ip } = bound(options)
      const opened = prefix + encodeCdnFolder(path, folder)
      const granted = provider.grant({ origin, path: prefix + encodeCdnPath(path), folder: opened, expiresAt, ip })
      return { ...granted, expiresAt: expiresAt * 1000 }
    },
    async purgeTags(names, options) {
      if (tags === undefined) throw unsupported('purgesTags')
      await tags.purge(names.map(spell), options)
    },
    async purgeUrls(addresses, options) {
      if (urls === undefined) throw unsupported('purgesUrls')
      await urls.purge(addresses.map(wholeUrl), options)
    },
    close: () => closing.abort(new Error('The CDN was closed.')),
    [Symbol.dispose]: () => closing.abort(new Error('The CDN was closed.')),
  })
}

function expiryMs(expires: Duration): number {
  const ms = parseDuration(expires, 'expires')
  // Dates of providers are numbers of ten digits.
  if (ms >= 1000 && ms <= 3_155_760_000_000) return ms
  throw optionError(`expires is ${showValue(expires)}; give a time of a second or more.`)
}

function optionError(message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', message, { details: { option: 'cdn' } })
}
