import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isPlimsollError } from '../../core/errors.ts'
import type { FileStore, WrittenObject } from '../contract.ts'
import type { PlainLimits } from './image-limits.ts'
import type { ImageMaker } from './image-maker.ts'
import type { ImageFacts } from './image-messages.ts'
import { mediaTypeOf, type PlainVariant } from './image-variant.ts'
import { withSpooledSource, type SpooledSource } from './spooled-source.ts'

/** A variant that is in the store. */
export interface StoredVariant {
  readonly key: string
  readonly type: string
  readonly size: number
  readonly width: number
  readonly height: number
  readonly etag: string
}

/** What is to be made, and of what. */
export interface VariantsOrder {
  readonly store: FileStore
  readonly maker: ImageMaker
  /** The object that is the image. */
  readonly key: string
  readonly limits: PlainLimits
  /** The variants, and the keys that they are to have. */
  readonly variants: (source: SpooledSource) => readonly { readonly key: string; readonly variant: PlainVariant }[]
  readonly signal?: AbortSignal | undefined
  /** Called as they are made, and with those that were there already. */
  readonly onProgress?: ((made: number, of: number) => void) | undefined
}

/** Nobody's cache has to ask again: their keys are made of what they are made of. */
const variantCaching = 'public, max-age=31536000, immutable'

/**
 * Makes those variants of an image that are not there yet, and stores them. A second time it finds what is there, also what a run that
 * was cut off has left.
 *
 * @throws PLIMSOLL_FILE_NOT_FOUND, PLIMSOLL_IMAGE_INVALID, PLIMSOLL_IMAGE_TOO_LARGE, PLIMSOLL_IMAGE_TIMEOUT, PLIMSOLL_IMAGES_BUSY
 */
export async function makeVariants(order: VariantsOrder): Promise<{
  readonly source: Pick<SpooledSource, 'sha256'>
  readonly facts: ImageFacts | undefined
  readonly variants: readonly StoredVariant[]
}> {
  const { store, maker, key, limits, signal, onProgress } = order
  return withSpooledSource({ store, key, maxBytes: limits.maxBytes, signal }, async (source) => {
    const wanted = order.variants(source)
    const found = await Promise.all(wanted.map((one) => store.head(one.key, { signal })))
    const missing = wanted.flatMap((one, at) =>
      found[at] === undefined ? [{ ...one, at, file: join(source.folder, String(at)) }] : [],
    )
    let made = wanted.length - missing.length
    onProgress?.(made, wanted.length)
    const stored = found.map((object) => (object === undefined ? undefined : toStoredVariant(object)))
    if (missing.length === 0) return { source, facts: undefined, variants: stored as StoredVariant[] }
    const { facts, sizes } = await maker.make(
      { input: source.file, outputs: missing.map(({ file, variant }) => ({ file, variant })) },
      { limits, signal, onMade: () => onProgress?.(++made, wanted.length) },
    )
    for (const [i, { key: to, variant, at, file }] of missing.entries())
      stored[at] = await keep({ store, to, file, variant, size: sizes[i]!, signal })
    return { source, facts, variants: stored as StoredVariant[] }
  })
}

async function keep(parts: {
  readonly store: FileStore
  readonly to: string
  readonly file: string
  readonly variant: PlainVariant
  readonly size: { readonly width: number; readonly height: number }
  readonly signal: AbortSignal | undefined
}): Promise<StoredVariant> {
  const { store, to, file, variant, size, signal } = parts
  try {
    const { size: bytes } = await stat(file)
    return toStoredVariant(
      await store.put(to, createReadStream(file), {
        type: mediaTypeOf(variant),
        cacheControl: variantCaching,
        metadata: { width: String(size.width), height: String(size.height) },
        size: bytes,
        ifAbsent: true,
        signal,
      }),
    )
  } catch (error) {
    // Somebody else was quicker, with the same bytes.
    if (!isPlimsollError(error, 'PLIMSOLL_FILE_EXISTS')) throw error
    const there = await store.head(to, { signal })
    if (there === undefined) throw error
    return toStoredVariant(there)
  }
}

/** What the store knows of a variant. */
function toStoredVariant({ key, type, size, etag, metadata }: WrittenObject): StoredVariant {
  return { key, type, size, etag, width: Number(metadata['width']), height: Number(metadata['height']) }
}
