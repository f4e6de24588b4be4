import type { ErrorCode } from '../../core/error-codes.ts'
import type { PlainVariant } from './image-variant.ts'

/** What the process of images is told to do. */
export interface ImageOrder {
  /** The file of the image. */
  readonly input: string
  readonly outputs: readonly { readonly file: string; readonly variant: PlainVariant }[]
  readonly maxPixels: number
  readonly memoryBytes: number
  readonly svg: boolean
}

/** What is known of an image as it was given, turned as its EXIF says. */
export interface ImageFacts {
  /** What its content is: `jpeg`, `png`, `webp`, `gif`, `avif`, `heif`, `tiff`, `svg`. */
  readonly format: string
  readonly width: number
  readonly height: number
  readonly frames: number
}

/** What the process of images says. */
export type ImageNews =
  | { readonly type: 'ready' }
  | { readonly type: 'missing' }
  | { readonly type: 'began' }
  | { readonly type: 'made'; readonly index: number; readonly width: number; readonly height: number }
  | { readonly type: 'done'; readonly facts: ImageFacts }
  | { readonly type: 'failed'; readonly code: ErrorCode; readonly message: string }
