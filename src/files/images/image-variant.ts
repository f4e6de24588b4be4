import { hash } from 'node:crypto'
import { PlimsollError, showValue } from '../../core/errors.ts'

/** The formats that variants are made in. */
export type ImageFormat = 'avif' | 'webp' | 'jpeg' | 'png'

/** What is to be made of an image. It is turned as its EXIF says, brought to sRGB, and has no metadata. */
export interface ImageVariant {
  /** In pixels, up to 8192. With one of the two the other follows; with none it keeps its size. */
  readonly width?: number | undefined
  readonly height?: number | undefined
  /**
   * How it fits into both: `'inside'` keeps all of it and may be smaller, `'cover'` fills and cuts, `'contain'` fills with `background`,
   * `'fill'` stretches. Default `'inside'`.
   */
  readonly fit?: 'inside' | 'cover' | 'contain' | 'fill' | undefined
  /** Default `'webp'`. */
  readonly format?: ImageFormat | undefined
  /** From 1 to 100. Default: 50 for AVIF, 80 for WebP and JPEG. */
  readonly quality?: number | undefined
  /** How long the encoder may search for a smaller file, from 0 to 6. Default 3. Not for JPEG. */
  readonly effort?: number | undefined
  /** Makes it larger than it is. Default false. */
  readonly enlarge?: boolean | undefined
  /** What shows through, in JPEG and beside what is contained: `'#rrggbb'`. Default `'#ffffff'`. */
  readonly background?: string | undefined
  /** Of moving images: all frames (WebP only), or the first one. Default `'first'`. */
  readonly animation?: 'first' | 'keep' | undefined
}

/** A variant, checked, and with what it does not say. */
export interface PlainVariant {
  readonly width: number | undefined
  readonly height: number | undefined
  readonly fit: 'inside' | 'cover' | 'contain' | 'fill'
  readonly format: ImageFormat
  readonly quality: number
  readonly effort: number
  readonly enlarge: boolean
  readonly background: string
  readonly animation: 'first' | 'keep'
  /** The same for the same variant, other ones for others: a part of its key in the store. */
  readonly id: string
}

const members = ['width', 'height', 'fit', 'format', 'quality', 'effort', 'enlarge', 'background', 'animation']
const fits = ['inside', 'cover', 'contain', 'fill']
const qualities: Readonly<Record<ImageFormat, number>> = { avif: 50, webp: 80, jpeg: 80, png: 100 }
const mostPixels = 8192
/** Raised when the same variant comes to other bytes, in a way that matters. */
const recipe = 1

/** @throws PLIMSOLL_OPTION_INVALID */
export function parseVariant(variant: ImageVariant, option: string): PlainVariant {
  const invalid = (member: string, fix: string): PlimsollError => {
    const value = (variant as Readonly<Record<string, unknown>>)[member]
    const message = `${option}.${member} is ${showValue(value)}; ${fix}.`
    return new PlimsollError('PLIMSOLL_OPTION_INVALID', message, { details: { option: `${option}.${member}` } })
  }
  if (typeof variant !== 'object' || variant === null) {
    const message = `${option} is ${showValue(variant)}; give a variant, such as { width: 320 }.`
    throw new PlimsollError('PLIMSOLL_OPTION_INVALID', message, { details: { option } })
  }
  const unknown = Object.keys(variant).find((member) => !members.includes(member))
  if (unknown !== undefined) throw invalid(unknown, `leave it out; there are ${members.join(', ')}`)
  const { width, height, fit = 'inside', format = 'webp', effort = 3, enlarge = false } = variant
  const { background = '#ffffff', animation = 'first' } = variant
  for (const [member, value] of Object.entries({ width, height }))
    if (value !== undefined && !isWhole(value, 1, mostPixels)) throw invalid(member, `give 1 to ${mostPixels} pixels`)
  if (!fits.includes(fit)) throw invalid('fit', `give one of ${fits.join(', ')}`)
  if (!Object.hasOwn(qualities, format)) throw invalid('format', `give one of ${Object.keys(qualities).join(', ')}`)
  const quality = variant.quality ?? qualities[format]
  if (!isWhole(quality, 1, 100)) throw invalid('quality', 'give 1 to 100')
  if (!isWhole(effort, 0, 6)) throw invalid('effort', 'give 0 to 6')
  if (typeof enlarge !== 'boolean') throw invalid('enlarge', 'give true or false')
  if (!/^#[\da-fA-F]{6}$/.test(background)) throw invalid('background', "give a colour such as '#ffffff'")
  if (animation !== 'first' && animation !== 'keep') throw invalid('animation', "give 'first' or 'keep'")
  if (animation === 'keep' && format !== 'webp') throw invalid('animation', "only format: 'webp' keeps the frames")
  const plain = { width, height, fit, format, quality, effort, enlarge, background, animation } as const
  return { ...plain, id: hash('sha256', JSON.stringify([recipe, plain]), 'base64url').slice(0, 12) }
}

/** The media type of a format. */
export function mediaTypeOf({ format }: Pick<PlainVariant, 'format'>): string {
  return `image/${format}`
}

/** How names of files of a format end, with the dot. */
export function extensionOf({ format }: Pick<PlainVariant, 'format'>): string {
  return format === 'jpeg' ? '.jpg' : `.${format}`
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most
}
