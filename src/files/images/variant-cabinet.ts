import { hash } from 'node:crypto'
import { PlimsollError, isPlimsollError } from '../../core/errors.ts'
import type { FileStore, StoredObject } from '../contract.ts'
import type { PlainLimits } from './image-limits.ts'
import type { ImageMaker } from './image-maker.ts'
import { extensionOf, type PlainVariant } from './image-variant.ts'
import { makeVariants } from './make-variants.ts'
import { madeOnce } from './variant-lease.ts'

/** Where variants are made and kept that nobody has asked for yet. */
export interface CabinetParts {
  readonly store: FileStore
  readonly maker: ImageMaker
  readonly limits: PlainLimits
  /** What the keys of variants begin with, with a slash at its end. */
  readonly folder: string
}

/** So long a refusal is remembered, and so many of them. */
const refusedMs = 60_000
const mostRefused = 1000
const mostListed = 1000

/** The variants of a store's images, each of which is made when it is asked for first: once, however many ask, in however many processes. */
export class VariantCabinet {
  readonly #parts: CabinetParts
  readonly #making = new Map<string, Promise<StoredObject>>()
  /** Images that are none are not read again and again. */
  readonly #refused = new Map<string, { readonly error: PlimsollError; readonly until: number }>()

  constructor(parts: CabinetParts) {
    this.#parts = parts
  }

  /** The key of a variant. `version`: what tells this image from others that were, or will be, under its key. */
  keyOf(key: string, variant: PlainVariant, version: string): string {
    return `${this.#folderOf(key)}${variant.id}${version === '' ? '' : `-${version}`}${extensionOf(variant)}`
  }

  /**
   * Has a variant be there.
   *
   * @throws PLIMSOLL_FILE_NOT_FOUND, PLIMSOLL_IMAGE_INVALID, PLIMSOLL_IMAGE_TOO_LARGE, PLIMSOLL_IMAGE_TIMEOUT, PLIMSOLL_IMAGES_BUSY
   */
  async make(key: string, variant: PlainVariant, version: string): Promise<StoredObject> {
    const to = this.keyOf(key, variant, version)
    const there = await this.#parts.store.head(to)
    if (there !== undefined) return there
    const refused = this.#refused.get(to)
    if (refused !== undefined && refused.until > Date.now()) throw refused.error
    const making = this.#making.get(to) ?? this.#make(key, { variant, version, to })
    this.#making.set(to, making)
    return making
  }

  /** Removes the variants that were made of an image; those of another version too. */
  async forget(key: string): Promise<void> {
    const { store } = this.#parts
    for (;;) {
      const { objects } = await store.list(this.#folderOf(key), { size: mostListed })
      if (objects.length === 0) return
      await store.delete(objects.map((object) => object.key))
    }
  }

  #folderOf(key: string): string {
    return `${this.#parts.folder}${hash('sha256', key, 'hex').slice(0, 32)}/`
  }

  async #make(
    key: string,
    { variant, version, to }: { readonly variant: PlainVariant; readonly version: string; readonly to: string },
  ): Promise<StoredObject> {
    const { store, maker, limits } = this.#parts
    try {
      return await madeOnce(store, to, async (signal) => {
        await makeVariants({
          store,
          maker,
          key,
          limits,
          signal,
          variants: ({ etag }) => {
            if (version !== '' && versionOf(etag) !== version) throw changed(key)
            return [{ key: to, variant }]
          },
        })
        return (await store.head(to))!
      })
    } catch (error) {
      if (isPlimsollError(error) && /_(?:INVALID|TOO_LARGE|TIMEOUT)$/.test(error.code)) this.#refuse(to, error)
      throw error
    } finally {
      this.#making.delete(to)
    }
  }

  #refuse(to: string, error: PlimsollError): void {
    this.#refused.delete(to)
    this.#refused.set(to, { error, until: Date.now() + refusedMs })
    if (this.#refused.size <= mostRefused) return
    const [oldest] = this.#refused.keys()
    this.#refused.delete(oldest!)
  }
}

/** What tells one content of a key from another: a digest of its ETag. */
export function versionOf(etag: string): string {
  return hash('sha256', etag, 'base64url').slice(0, 12)
}

function changed(key: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_FILE_NOT_FOUND', `The image '${key}' is another one by now.`, { details: { key } })
}
