import type { Ratio, VideoStream } from './types.ts'

/** The rates that cameras and screens have. */
const usualRates: readonly Ratio[] = [
  { num: 10, den: 1 },
  { num: 12, den: 1 },
  { num: 15, den: 1 },
  { num: 24_000, den: 1001 },
  { num: 24, den: 1 },
  { num: 25, den: 1 },
  { num: 30_000, den: 1001 },
  { num: 30, den: 1 },
  { num: 48, den: 1 },
  { num: 50, den: 1 },
  { num: 60_000, den: 1001 },
  { num: 60, den: 1 },
  { num: 100, den: 1 },
  { num: 120_000, den: 1001 },
  { num: 120, den: 1 },
]

/** A ratio as one number. */
export const valueOf = ({ num, den }: Ratio): number => num / den

/** Reads `'30000/1001'`; undefined for what is none, such as `'0/0'`. */
export function toRatio(text: string | undefined, sign: '/' | ':'): Ratio | undefined {
  const [num = 0, den = 0] = (text ?? '').split(sign).map(Number)
  return num > 0 && den > 0 && Number.isFinite(num) && Number.isFinite(den) ? { num, den } : undefined
}

/** A turn in quarters: that of a phone that was not held quite straight is the nearest. */
export function rotationOf(degrees: number): VideoStream['rotation'] {
  const quarters = Number.isFinite(degrees) ? ((Math.round(degrees / 90) % 4) + 4) % 4 : 0
  return ([0, 90, 180, 270] as const)[quarters]!
}

/** How large a frame is shown: with square pixels, then turned. The longer measure grows, so that nothing is lost. */
export function displayOf({
  width,
  height,
  rotation,
  pixelAspect,
}: Pick<VideoStream, 'width' | 'height' | 'rotation' | 'pixelAspect'>): VideoStream['display'] {
  const aspect = valueOf(pixelAspect)
  const shown =
    aspect >= 1 ? { width: Math.round(width * aspect), height } : { width, height: Math.round(height / aspect) }
  return rotation === 90 || rotation === 270 ? { width: shown.height, height: shown.width } : shown
}

/** The bits of a sample, by the name that ffmpeg has for the format. */
export function bitDepthOf(pixelFormat: string): number {
  if (/^(?:p010|x2)/.test(pixelFormat)) return 10
  const bits = /^(?:yuv|gbr|gray|ya)[a-z]*(?:\d{3}p?|p)?[a-z]*?(9|10|12|14|16)(?:le|be)?$/.exec(pixelFormat)
  return bits === null ? 8 : Number(bits[1])
}

/** How light is coded, by ffmpeg's name for the transfer. */
export function hdrOf(transfer: string | undefined): VideoStream['hdr'] {
  if (transfer === 'smpte2084') return 'pq'
  return transfer === 'arib-std-b67' ? 'hlg' : undefined
}

/** True when the rate that fits all frames is not the mean one. Fields of interlaced video count twice. */
export function variesFrom(base: Ratio | undefined, mean: Ratio | undefined, interlaced: boolean): boolean {
  if (base === undefined || mean === undefined) return false
  const off = valueOf(base) / valueOf(mean)
  return Math.abs(off - 1) > 0.015 && !(interlaced && Math.abs(off - 2) < 0.03)
}

/** The usual rate that one is close to, or the rate in thousandths. */
export function nearestRate(rate: number): Ratio {
  const near = usualRates.find((usual) => Math.abs(valueOf(usual) / rate - 1) < 0.0008)
  if (near !== undefined) return near
  const thousandths = Math.round(rate * 1000)
  return thousandths % 1000 === 0 ? { num: thousandths / 1000, den: 1 } : { num: thousandths, den: 1000 }
}

/**
 * The constant rate that a video is encoded at: its own, halved until it is no more than `most`; of frames that come at times of their
 * own the next usual one above the mean.
 */
export function outputRate({ frameRate, variable }: Pick<VideoStream, 'frameRate' | 'variable'>, most: number): Ratio {
  let rate = valueOf(frameRate)
  if (variable) rate = valueOf(usualRates.find((usual) => valueOf(usual) >= rate * 0.99) ?? { num: 60, den: 1 })
  while (rate > most * 1.001) rate /= 2
  return nearestRate(Math.max(rate, Math.min(10, most)))
}

/** Reads `'00:01:02.5'`. */
export function clockSeconds(clock: string | undefined): number | undefined {
  const [, hours, minutes, seconds] = /^(\d+):(\d\d):(\d\d(?:\.\d+)?)/.exec(clock ?? '') ?? []
  return hours === undefined ? undefined : Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}

/** How long the streams that are played are, of which captions may be longer; undefined when one of them does not say. */
export function playedSeconds(streams: readonly (number | undefined)[]): number | undefined {
  const known = streams.filter((seconds) => seconds !== undefined)
  return known.length === streams.length && Math.max(...known) > 0 ? Math.max(...known) : undefined
}
