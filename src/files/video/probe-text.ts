import { mediaError } from './media-errors.ts'
import {
  bitDepthOf,
  clockSeconds,
  displayOf,
  hdrOf,
  nearestRate,
  playedSeconds,
  rotationOf,
  toRatio,
  variesFrom,
} from './stream-facts.ts'
import type { AudioStream, Ratio, SubtitleStream, VideoProbe, VideoStream } from './types.ts'

/** A stream as ffmpeg tells of it, with the lines below its own. */
interface TextStream {
  readonly index: number
  readonly language: string | undefined
  readonly kind: string
  readonly about: string
  readonly below: string
}

/** Reads what `ffmpeg -i` says of a file, where there is no ffprobe. @throws PLIMSOLL_MEDIA_INVALID */
export function probeFromText(text: string, subject: string): VideoProbe {
  const input = /^Input #0, (.+?), from '/m.exec(text)
  if (input === null)
    throw mediaError('PLIMSOLL_MEDIA_INVALID', `'${subject}' cannot be described`, { details: { subject } })
  const times = /^ {2}Duration: (?:N\/A|(\d+:\d+:\d+\.?\d*))(?:, start: (-?[\d.]+))?/m.exec(text)
  const streams = streamsOf(text)
  const video = streams.find(({ kind, about }) => kind === 'Video' && !about.includes('(attached pic)'))
  const sound = streams.filter(({ kind, about }) => kind === 'Audio' && !about.startsWith('none'))
  return {
    container: input[1]!,
    duration: playedSeconds([video, sound[0]].map(secondsOf)) ?? clockSeconds(times?.[1]) ?? 0,
    start: Number(times?.[2] ?? 0),
    video: video === undefined ? undefined : toVideo(video),
    audio: sound.map(toAudio),
    subtitles: streams.filter(({ kind }) => kind === 'Subtitle').map(toSubtitle),
  }
}

/** Matroska says it of each stream. */
function secondsOf(stream: TextStream | undefined): number | undefined {
  return stream === undefined ? 0 : clockSeconds(/^ +DURATION +: (\S+)/m.exec(stream.below)?.[1])
}

function streamsOf(text: string): TextStream[] {
  const parts = text.split(/^ {2}Stream #0:/m).slice(1)
  return parts.flatMap((part) => {
    const [line = '', ...below] = part.split('\n')
    const head = /^(\d+)(?:\[\w+\])?(?:\((\w+)\))?: (\w+): (.*)$/.exec(line)
    if (head === null) return []
    const language = head[2] === 'und' ? undefined : head[2]
    return [{ index: Number(head[1]), language, kind: head[3]!, about: head[4]!, below: below.join('\n') }]
  })
}

const codecOf = (about: string): string => /^[\w.-]+/.exec(about)?.[0] ?? 'unknown'

function toVideo({ index, about, below }: TextStream): VideoStream {
  const size = /, (\d+)x(\d+)(?=[ ,]|$)/.exec(about)
  const [width, height] = [Number(size?.[1] ?? 0), Number(size?.[2] ?? 0)]
  const pixelAspect = toRatio(/SAR (\d+:\d+)/.exec(about)?.[1], ':') ?? { num: 1, den: 1 }
  const rotation = rotationOf(-Number(/displaymatrix: rotation of (-?[\d.]+)/.exec(below)?.[1] ?? 0))
  const pixels = /, (\w+)(?:\(([^)]*)\))?, \d+x\d+/.exec(about)
  const colour = pixels?.[2] ?? ''
  const interlaced = /top|bottom/.test(colour)
  const pixelFormat = pixels?.[1] ?? 'unknown'
  const mean = rateOf(about, 'fps')
  const base = rateOf(about, 'tbr')
  return {
    index,
    codec: codecOf(about),
    width,
    height,
    rotation,
    display: displayOf({ width, height, rotation, pixelAspect }),
    pixelAspect,
    frameRate: mean ?? base ?? { num: 25, den: 1 },
    variable: variesFrom(base, mean, interlaced),
    pixelFormat,
    bitDepth: bitDepthOf(pixelFormat),
    hdr: hdrOf(/smpte2084|arib-std-b67/.exec(colour)?.[0]),
    interlaced,
  }
}

/** It is written with two digits behind the point: 29.97 is 30000/1001. */
function rateOf(about: string, unit: 'fps' | 'tbr'): Ratio | undefined {
  const rate = Number(new RegExp(`, ([\\d.]+)(k?) ${unit}`).exec(about)?.[1] ?? 0)
  if (!(rate > 0)) return undefined
  const exact = [24, 30, 48, 60, 120].find((whole) => Math.abs((whole * 1000) / 1001 - rate) < 0.006)
  return exact === undefined ? nearestRate(rate) : { num: exact * 1000, den: 1001 }
}

const channelsOf: Readonly<Record<string, number>> = { mono: 1, stereo: 2, '2.1': 3, quad: 4, '4.0': 4, '5.0': 5 }
const surroundOf: Readonly<Record<string, number>> = { '5.1': 6, '5.1(side)': 6, '6.1': 7, '7.1': 8 }

function toAudio({ index, language, about }: TextStream): AudioStream {
  const found = /, (\d+) Hz, ([^,]+)/.exec(about)
  const said = found?.[2] ?? ''
  const counted = /^(\d+) channels/.exec(said)?.[1]
  return {
    index,
    codec: codecOf(about),
    channels: counted === undefined ? (channelsOf[said] ?? surroundOf[said] ?? 2) : Number(counted),
    layout: counted === undefined ? said : '',
    sampleRate: Number(found?.[1] ?? 0),
    language,
  }
}

function toSubtitle({ index, language, about }: TextStream): SubtitleStream {
  return { index, codec: codecOf(about), language }
}
