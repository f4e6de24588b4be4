import type { FastifyInstance, FastifyRequest } from 'fastify'
import { parseDuration, type Duration } from '../../core/duration.ts'
import { PlimsollError, listNames, showValue } from '../../core/errors.ts'
import type { FileStore } from '../../files/contract.ts'
import { checkKey, isKey } from '../../files/index.ts'
import { keepVariantsIn, variantFolder } from '../../files/internal-folders.ts'
import { parseLimits, type ImageLimits } from '../../files/images/image-limits.ts'
import type { ImageMaker } from '../../files/images/image-maker.ts'
import { parseVariant, type ImageVariant, type PlainVariant } from '../../files/images/image-variant.ts'
import { VariantCabinet, versionOf } from '../../files/images/variant-cabinet.ts'
import { mostMakingMs } from '../../files/images/variant-lease.ts'
import { surrogateHeaders, type SurrogateKeys } from '../caching/surrogate-headers.ts'
import { checkPath } from '../path-parameters.ts'
import { problemHandler, problemOf, sendProblem } from '../problem.ts'
import { withPrefix } from '../resource.ts'
import { answerFile } from './answer-file.ts'
import { fileTag, fileTags } from './file-tags.ts'
import { requestKey } from './request-key.ts'
import { linkSigner } from './signed-link.ts'

/** Which variants of images there are, and what an image may cost. */
export interface ImagesOptions<Name extends string = string> {
  /** By name: letters, digits, `-` and `_`. A variant that says something else has other addresses. */
  readonly variants: Readonly<Record<Name, ImageVariant>>
  /** Bounds for images that are read. */
  readonly limits?: ImageLimits | undefined
  /** Where variants are kept in the storage; nothing else serves them from there. Default `'.images'`. */
  readonly folder?: string | undefined
}

/** What an address of a variant is to be like. */
export interface ImageUrlOptions {
  /** How long it holds. Default: for ever, so that caches keep what it leads to. */
  readonly expires?: Duration | undefined
  /** The ETag of the image, where another one may come under its key: then the address is another one too. */
  readonly etag?: string | undefined
}

/** The variants of images that a route makes when they are asked for. */
export interface Images<Name extends string = string> {
  /**
   * The address of a variant of an image, signed: nobody can ask for what the application has not given an address of.
   *
   * @throws PLIMSOLL_OPTION_INVALID for a variant that there is not; PLIMSOLL_FILE_KEY_INVALID
   */
  url(key: string, variant: NoInfer<Name>, options?: ImageUrlOptions): string
  /**
   * The same as `url` as a path that is not encoded, as `cdn.url` and `cdn.purgeUrls` take it.
   *
   * @example app.cdn.url(images.path('uploads/cover.jpg', 'small'))
   * @throws as `url` does
   */
  path(key: string, variant: NoInfer<Name>, options?: ImageUrlOptions): string
  /** Removes the variants that were made of an image, and has a CDN that purges by tag drop what it has of it; do so when you remove it. */
  forget(key: string): Promise<void>
}

/** What {@link mountImages} is given beside the options. */
export interface ImageMountOptions {
  readonly store: FileStore
  readonly maker: ImageMaker
  /** Signs the addresses. */
  readonly secret: string
  /** The headers that name, for a CDN, the image that a variant was made of. */
  readonly surrogateKeys: SurrogateKeys | false
  /** Has a CDN drop what was made of these tags. Default: there is none that purges by tag. */
  readonly purge?: ((tags: readonly string[]) => Promise<void>) | undefined
  /** Told of errors that are the service's own. */
  readonly onError?: ((error: unknown, request: FastifyRequest) => void) | undefined
}

const forever = 'public, max-age=31536000, immutable'

/**
 * Adds `GET` and `HEAD` of variants of images, at `path/VARIANT/SIGNATURE/KEY`. A variant is made when it is asked for first, once.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function mountImages<Name extends string>(
  fastify: FastifyInstance,
  path: string,
  { options, mount }: { readonly options: ImagesOptions<Name>; readonly mount: ImageMountOptions },
): { readonly path: string; readonly images: Images<Name> } {
  checkPath(path)
  if (path.includes(':'))
    throw invalid('path', `The path of images is such as '/images', without parameters, not '${path}'.`)
  const variants = parseVariants(options.variants)
  const folder = options.folder ?? variantFolder.slice(0, -1)
  if (!isKey(folder))
    throw invalid('folder', `The folder of variants is ${showValue(folder)}; give one such as 'variants'.`)
  const { store, maker, secret, surrogateKeys, purge, onError } = mount
  const limits = parseLimits(options.limits)
  if (limits.timeoutMs > mostMakingMs) {
    const given = showValue(options.limits?.timeout)
    throw invalid(
      'limits.timeout',
      `limits.timeout is ${given}, and another process takes over what was not made on demand within ${mostMakingMs} ms; give less, or make such images by a job.`,
    )
  }
  const cabinet = new VariantCabinet({ store, maker, folder: `${folder}/`, limits })
  keepVariantsIn(store, `${folder}/`)
  const own = path.replace(/\/$/, '')
  const mounted = withPrefix(fastify.prefix, own)
  const signer = linkSigner(secret, 'images')
  const wordsOf = (name: string, { id }: PlainVariant, key: string, version: string): string[] => [
    name,
    id,
    key,
    version,
  ]

  fastify.route({
    method: ['GET', 'HEAD'],
    url: `${own}/:variant/:signature/*`,
    exposeHeadRoute: false,
    errorHandler: problemHandler(onError),
    handler: async (request, reply) => {
      const { variant: name, signature } = request.params as { readonly variant: string; readonly signature: string }
      const key = requestKey(request, { store })
      const variant = variants.get(name)
      const [token = '', version = ''] = signature.split('~')
      // What was never signed cannot be told from what was signed otherwise.
      if (key === undefined || variant === undefined)
        throw new PlimsollError(
          'PLIMSOLL_SIGNATURE_INVALID',
          'The signature of this address does not hold, or not any more.',
        )
      const expiresAt = signer.check(wordsOf(name, variant, key, version), token)
      const left = expiresAt === undefined ? undefined : Math.max(0, Math.floor((expiresAt - Date.now()) / 1000))
      const headers = {
        'cache-control': left === undefined ? forever : `private, max-age=${left}`,
        'content-security-policy': "default-src 'none'; sandbox",
        // Those of the image, so that what ends it at the edges ends what was made of it.
        ...(left === undefined && surrogateKeys !== false ? surrogateHeaders(fileTags(key), surrogateKeys) : {}),
      }
      const answer = (): Promise<boolean> =>
        answerFile(request, reply, {
          store,
          key: cabinet.keyOf(key, variant, version),
          describe: (object) => ({ object, type: object.type, headers }),
        })
      if (await answer()) return reply
      await cabinet.make(key, variant, version)
      if (await answer()) return reply
      return sendProblem(reply, problemOf(404, 'There is no such image.'))
    },
  })

  /** What stands before the key in an address of a variant of it, signed. */
  const signedFolder = (key: string, name: Name, { expires, etag }: ImageUrlOptions = {}): string => {
    const variant = variants.get(name)
    if (variant === undefined) {
      const text = `There is no variant ${showValue(name)} of the images at '${mounted}'; there are ${listNames(variants.keys())}.`
      throw invalid('variant', text)
    }
    checkKey(key)
    const version = etag === undefined ? '' : versionOf(etag)
    const expiresAt = expires === undefined ? undefined : Date.now() + parseDuration(expires, 'expires')
    const token = signer.sign(wordsOf(name, variant, key, version), expiresAt)
    return `${mounted}/${name}/${token}${version === '' ? '' : `~${version}`}/`
  }
  const images: Images<Name> = {
    url: (key, name, given) => signedFolder(key, name, given) + key.split('/').map(encodeURIComponent).join('/'),
    path: (key, name, given) => signedFolder(key, name, given) + key,
    async forget(key) {
      await cabinet.forget(key)
      // After that, or an edge would fetch again what is about to go; and also where nothing was kept here any more.
      await purge?.([fileTag(key)])
    },
  }
  return { path: `${mounted}/:variant/:signature/*`, images }
}

function parseVariants(given: Readonly<Record<string, ImageVariant>>): ReadonlyMap<string, PlainVariant> {
  const variants = new Map<string, PlainVariant>()
  for (const [name, variant] of Object.entries(given ?? {})) {
    if (!/^[\w-]{1,60}$/.test(name))
      throw invalid(
        'variants',
        `The variant ${showValue(name)} cannot be named so; use up to 60 letters, digits, - and _.`,
      )
    variants.set(name, parseVariant(variant, `variants.${name}`))
  }
  if (variants.size > 0) return variants
  throw invalid(
    'variants',
    'There are no variants of images; give some, such as { variants: { small: { width: 320 } } }.',
  )
}

function invalid(option: string, message: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', message, { details: { option } })
}
