import { parseDuration } from '../../core/duration.ts'
import { PlimsollError, showValue } from '../../core/errors.ts'
import { parseSize } from '../../core/size.ts'
import type { PosterOptions, VideoOptions, X264Preset } from './types.ts'

/** The options of videos, checked, in seconds, bytes and bits. */
export interface VideoSettings {
  readonly sizes: readonly number[]
  readonly preset: X264Preset
  readonly quality: number
  readonly frameRate: number
  readonly rate: NonNullable<NonNullable<VideoOptions['ladder']>['rate']> | undefined
  readonly av1: boolean
  readonly audioRate: number
  readonly poster: { readonly at: NonNullable<PosterOptions['at']>; readonly format: 'jpeg' | 'webp' } | undefined
  readonly sprite: { readonly intervalS: number | undefined; readonly size: number } | undefined
  readonly segmentS: number
  /** Undefined: as the video's length asks for. */
  readonly chunkS: number | undefined
  readonly limits: Limits
  readonly cacheControl: string
  readonly folder: string | undefined
}

export interface Limits {
  readonly bytes: number
  readonly durationMs: number
  readonly pixels: number
  readonly memoryBytes: number
  readonly timeMs: number
}

/** Between two key frames, in seconds. */
export const gopS = 2

const presets = ['ultrafast', 'superfast', 'veryfast', 'faster', 'fast', 'medium', 'slow', 'slower']

/** @throws PLIMSOLL_OPTION_INVALID */
export function videoSettings(options: VideoOptions = {}): VideoSettings {
  const { ladder = {}, poster = {}, sprite = {}, limits = {} } = options
  const { sizes = [240, 360, 480, 720, 1080, 1440, 2160], preset = 'veryfast', quality = 22, frameRate = 60 } = ladder
  if (sizes.length === 0 || sizes.length > 12) throw invalid('ladder.sizes', sizes, 'give 1 to 12 of them')
  for (const size of sizes) whole('ladder.sizes', size, [16, 8192])
  if (!presets.includes(preset)) throw invalid('ladder.preset', preset, `give one of ${presets.join(', ')}`)
  const segmentS = inSteps('segment', parseDuration(options.segment ?? '2s', 'segment') / 1000)
  const intervalS =
    sprite === false || sprite.interval === undefined
      ? undefined
      : parseDuration(sprite.interval, 'sprite.interval') / 1000
  return {
    sizes: [...new Set(sizes)].sort((a, b) => a - b),
    preset,
    quality: whole('ladder.quality', quality, [0, 51]),
    frameRate: whole('ladder.frameRate', frameRate, [1, 240]),
    rate: ladder.rate,
    av1: ladder.av1 ?? false,
    audioRate: whole('audioRate', options.audioRate ?? 128, [16, 512]),
    poster: poster === false ? undefined : { at: checkedAt(poster.at ?? '10%'), format: poster.format ?? 'jpeg' },
    sprite:
      sprite === false
        ? undefined
        : {
            intervalS: intervalS === undefined ? undefined : inSteps('sprite.interval', intervalS),
            size: whole('sprite.size', sprite.size ?? 160, [16, 640]),
          },
    segmentS,
    chunkS:
      options.chunk === undefined ? undefined : wholeSegments(parseDuration(options.chunk, 'chunk') / 1000, segmentS),
    limits: {
      bytes: parseSize(limits.bytes ?? '20GB', 'limits.bytes'),
      durationMs: parseDuration(limits.duration ?? '6h', 'limits.duration'),
      pixels: whole('limits.pixels', limits.pixels ?? 36_000_000, [1024, 2 ** 31 - 1]),
      memoryBytes: parseSize(limits.memory ?? '8GB', 'limits.memory'),
      timeMs: parseDuration(limits.time ?? '6h', 'limits.time'),
    },
    cacheControl: options.cacheControl ?? 'public, max-age=31536000, immutable',
    folder: options.folder,
  }
}

/** A chunk's length: it has whole segments, so that those of all chunks are alike. */
export function wholeSegments(seconds: number, segmentS: number): number {
  return segmentS * Math.max(1, Math.round(seconds / segmentS))
}

function inSteps(option: string, seconds: number): number {
  if (seconds >= gopS && seconds <= 600 && Number.isInteger(seconds / gopS)) return seconds
  throw invalid(option, `${seconds}s`, `give a multiple of ${gopS} seconds`)
}

function checkedAt(at: NonNullable<PosterOptions['at']>): NonNullable<PosterOptions['at']> {
  if (typeof at === 'string' && at.endsWith('%')) {
    const share = Number(at.slice(0, -1))
    if (!(share >= 0 && share <= 100)) throw invalid('poster.at', at, "give a time, or a share such as '10%'")
  } else parseDuration(at as number, 'poster.at')
  return at
}

function whole(option: string, value: number, [least, most]: readonly [number, number]): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw invalid(option, value, `give a whole number from ${least} to ${most}`)
}

function invalid(option: string, value: unknown, advice: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${option} is ${showValue(value)}; ${advice}.`, {
    details: { option },
  })
}
