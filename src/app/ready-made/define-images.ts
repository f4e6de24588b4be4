import { PlimsollError, showValue } from '../../core/errors.ts'
import { parseLimits, type ImageLimits } from '../../files/images/image-limits.ts'
import { extensionOf, parseVariant, type ImageVariant, type PlainVariant } from '../../files/images/image-variant.ts'
import { makeVariants, type StoredVariant } from '../../files/images/make-variants.ts'
import { isKey } from '../../files/index.ts'
import type { Schema, SchemaResult } from '../../jobs/standard-schema.ts'
import type { Job } from '../../jobs/types.ts'
import { defineReadyJob, type ReadyJobOptions, type ReadyServices } from './ready-job.ts'

/** The image that variants are to be made of. */
export interface ImagesInput {
  /** Its key in the storage. */
  readonly key: string
}

/** What the job has made. */
export interface ImagesOutput<Name extends string = string> {
  readonly key: string
  /** The SHA-256 of the image's bytes, in hexadecimal; keys of variants are made of it. */
  readonly sha256: string
  readonly variants: Readonly<Record<Name, StoredVariant>>
}

/** The options of {@link defineImages}: those of a job, and the variants. The queue is `'images'` unless they say otherwise. */
export interface DefineImagesOptions<Name extends string> extends Omit<ReadyJobOptions<Schema<ImagesInput>>, 'input'> {
  readonly variants: Readonly<Record<Name, ImageVariant>>
  /** Bounds for images that are read. */
  readonly limits?: ImageLimits | undefined
  /** What the keys of variants begin with. Default `'images'`. */
  readonly folder?: string | undefined
  /**
   * Called when all variants are stored, such as to write their keys into a row. It may be called again for the same image, after a crash.
   */
  readonly onMade?:
    | ((made: ImagesOutput<Name>, services: Pick<ReadyServices, 'db' | 'files'>) => void | Promise<void>)
    | undefined
}

/** A timeout of the decoder comes first. */
const graceMs = 60_000

/**
 * Defines a job that makes variants of an image in the storage. Their keys are made of the image's content and of what the variant says,
 * so that they never change, and a second run finds what the first one made.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 * @example
 * export const avatars = defineImages('images.avatar', { variants: { small: { width: 64, height: 64, fit: 'cover' }, large: { width: 512 } } })
 * const { variants } = await (await avatars.enqueue({ key: 'uploads/ada.jpg' })).result()
 * console.log(variants.small.key)
 */
export function defineImages<const Name extends string>(
  name: string,
  options: DefineImagesOptions<Name>,
): Job<ImagesInput, ImagesOutput<Name>> {
  const { variants: given, limits: bounds, folder = 'images', onMade, ...jobOptions } = options
  const limits = parseLimits(bounds)
  const variants = Object.entries<ImageVariant>(given ?? {}).map(
    ([variant, what]) => [variant as Name, parseVariant(what, `variants.${variant}`)] as const,
  )
  if (variants.length === 0 || variants.some(([variant]) => !/^[\w-]{1,60}$/.test(variant)))
    throw invalid(
      'variants',
      given,
      'give some, by names of letters, digits, - and _, such as { small: { width: 320 } }',
    )
  if (!isKey(folder)) throw invalid('folder', folder, "give a folder of keys, such as 'images'")
  const keyOf = (sha256: string, variant: string, plain: PlainVariant): string =>
    `${folder}/${sha256.slice(0, 40)}/${variant}-${plain.id}${extensionOf(plain)}`
  const job: ReadyJobOptions<Schema<ImagesInput>> = {
    queue: 'images',
    timeout: limits.timeoutMs + graceMs,
    ...jobOptions,
    input: imagesInput,
  }
  return defineReadyJob(name, job, async ({ key }, { signal, progress }, { files, images, db }) => {
    const { source, variants: stored } = await makeVariants({
      store: files,
      maker: images,
      key,
      limits,
      signal,
      variants: ({ sha256 }) =>
        variants.map(([variant, plain]) => ({ key: keyOf(sha256, variant, plain), variant: plain })),
      onProgress: (done, total) => progress(done, total),
    })
    const made: ImagesOutput<Name> = {
      key,
      sha256: source.sha256,
      variants: Object.fromEntries(
        variants.map(([variant], i) => [variant, stored[i]!]),
      ) as ImagesOutput<Name>['variants'],
    }
    await onMade?.(made, { db, files })
    return made
  })
}

const imagesInput: Schema<ImagesInput> = {
  '~standard': {
    version: 1,
    vendor: 'plimsoll',
    validate(value): SchemaResult<ImagesInput> {
      const { key } = (value ?? {}) as Partial<ImagesInput>
      if (typeof key === 'string' && key !== '') return { value: { key } }
      return { issues: [{ message: 'give the key of an image in the storage', path: ['key'] }] }
    },
  },
}

function invalid(option: string, value: unknown, fix: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${option} of defineImages() is ${showValue(value)}; ${fix}.`, {
    details: { option },
  })
}
