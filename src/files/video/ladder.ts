import { valueOf } from './stream-facts.ts'
import type { Ratio, VideoStream } from './types.ts'
import type { VideoSettings } from './video-settings.ts'

/** One encoding of the picture. */
export interface Rendition {
  /** `'720p'`: its shorter side. With `-av1` when it is in AV1. */
  readonly name: string
  readonly codec: 'h264' | 'av1'
  readonly width: number
  readonly height: number
  /** The most that it may take, in kbit/s. */
  readonly maxRate: number
}

/** What samples of a video took: kbit/s at so many pixels. */
export interface Complexity {
  readonly rate: number
  readonly pixels: number
}

/** A source that is larger than a size by this has a rendition of its own size too. */
const worthIts = 1.12

/**
 * The renditions of a video, from the smallest to the largest: none above the source, with even sides and square pixels. The sizes
 * are those of the shorter side, so that a portrait video has the same number of them as a landscape.
 */
export function ladder(
  { display }: Pick<VideoStream, 'display'>,
  {
    settings,
    frameRate,
    complexity,
  }: { settings: LadderSettings; frameRate: Ratio; complexity: Complexity | undefined },
): Rendition[] {
  const renditions = shortSides(display, settings.sizes).map((short): Rendition => {
    const { width, height } = frameOf(display, short)
    const given = settings.rate?.({ width, height })
    const maxRate = Math.round(given ?? rateOf(width * height, frameRate, complexity))
    return { name: `${short}p`, codec: 'h264', width, height, maxRate }
  })
  if (!settings.av1) return renditions
  // AV1 does with two thirds of what H.264 takes.
  const again = renditions.map((one): Rendition => ({
    ...one,
    name: `${one.name}-av1`,
    codec: 'av1',
    maxRate: Math.round((one.maxRate * 2) / 3),
  }))
  return [...renditions, ...again]
}

export type LadderSettings = Pick<VideoSettings, 'sizes' | 'rate' | 'av1'>

/** Frames of a size and rate may take so much, in kbit/s: 800 for 640×360 at up to 30 a second, less for each pixel of larger ones. */
export function mostRate(pixels: number, frameRate: Ratio): number {
  return 800 * (pixels / (640 * 360)) ** 0.83 * Math.sqrt(Math.max(1, valueOf(frameRate) / 30))
}

function shortSides({ width, height }: VideoStream['display'], sizes: readonly number[]): number[] {
  const own = even(Math.min(width, height))
  const below = [...new Set(sizes.map(even))].filter((size) => size <= own)
  const top = below.at(-1)
  if (top === undefined) return [own]
  return own / top > worthIts && sizes.some((size) => size > own) ? [...below, own] : below
}

function frameOf({ width, height }: VideoStream['display'], short: number): { width: number; height: number } {
  const [shorter, longer] = [Math.min(width, height), Math.max(width, height)]
  const long = Math.min(even(longer), Math.max(2, Math.round((short * longer) / shorter / 2) * 2))
  return width >= height ? { width: long, height: short } : { width: short, height: long }
}

const even = (side: number): number => Math.max(2, Math.floor(side / 2) * 2)

/** A still picture needs little, and noise is not worth all that it asks for. */
function rateOf(pixels: number, frameRate: Ratio, complexity: Complexity | undefined): number {
  const most = mostRate(pixels, frameRate)
  if (complexity === undefined) return most
  // Above the mean there has to be room for what moves more than the samples did.
  const asked = 1.3 * complexity.rate * (pixels / complexity.pixels) ** 0.75
  return Math.min(most, Math.max(most * 0.3, asked))
}
