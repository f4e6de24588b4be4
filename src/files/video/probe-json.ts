import { mediaError } from './media-errors.ts'
import {
  bitDepthOf,
  clockSeconds,
  displayOf,
  hdrOf,
  playedSeconds,
  rotationOf,
  toRatio,
  variesFrom,
} from './stream-facts.ts'
import type { AudioStream, SubtitleStream, VideoProbe, VideoStream } from './types.ts'

/** A stream as ffprobe writes it: all of it may be missing, or come from a stranger. */
interface JsonStream {
  readonly index?: number
  readonly codec_type?: string
  readonly codec_name?: string
  readonly width?: number
  readonly height?: number
  readonly sample_aspect_ratio?: string
  readonly pix_fmt?: string
  readonly field_order?: string
  readonly color_transfer?: string
  readonly r_frame_rate?: string
  readonly avg_frame_rate?: string
  readonly duration?: string
  readonly channels?: number
  readonly channel_layout?: string
  readonly sample_rate?: string
  readonly tags?: Readonly<Record<string, string>>
  readonly disposition?: Readonly<Record<string, number>>
  readonly side_data_list?: readonly { readonly rotation?: number }[]
}

/** Reads what `ffprobe -print_format json -show_format -show_streams` says. @throws PLIMSOLL_MEDIA_INVALID */
export function probeFromJson(json: string, subject: string): VideoProbe {
  const { format = {}, streams = [] } = parse(json, subject)
  const pictures = streams.filter(
    (stream) => stream.codec_type === 'video' && stream.disposition?.['attached_pic'] !== 1,
  )
  const video = pictures.find(({ codec_name: codec }) => codec !== undefined && codec !== 'unknown')
  const sound = streams.filter((stream) => stream.codec_type === 'audio' && (stream.channels ?? 0) > 0)
  return {
    container: format.format_name ?? '',
    duration: playedSeconds([video, sound[0]].map(secondsOf)) ?? (Number(format.duration ?? 0) || 0),
    start: Number(format.start_time ?? 0) || 0,
    video: video === undefined ? undefined : toVideo(video),
    audio: sound.map(toAudio),
    subtitles: streams.filter((stream) => stream.codec_type === 'subtitle').map(toSubtitle),
  }
}

function secondsOf(stream: JsonStream | undefined): number | undefined {
  if (stream === undefined) return 0
  return Number(stream.duration) || clockSeconds(stream.tags?.['DURATION'])
}

interface Json {
  readonly format?: { readonly format_name?: string; readonly duration?: string; readonly start_time?: string }
  readonly streams?: readonly JsonStream[]
}

function parse(json: string, subject: string): Json {
  try {
    return JSON.parse(json) as Json
  } catch (cause) {
    throw mediaError('PLIMSOLL_MEDIA_INVALID', `'${subject}' cannot be described`, { cause, details: { subject } })
  }
}

function toVideo(stream: JsonStream): VideoStream {
  const { width = 0, height = 0 } = stream
  const turned = stream.side_data_list?.find(({ rotation }) => rotation !== undefined)?.rotation
  // A matrix turns anticlockwise; the tag of old turns clockwise.
  const rotation = rotationOf(turned === undefined ? Number(stream.tags?.['rotate'] ?? 0) : -turned)
  const pixelAspect = toRatio(stream.sample_aspect_ratio, ':') ?? { num: 1, den: 1 }
  const mean = toRatio(stream.avg_frame_rate, '/')
  const base = toRatio(stream.r_frame_rate, '/')
  const interlaced = ['tt', 'bb', 'tb', 'bt'].includes(stream.field_order ?? '')
  const pixelFormat = stream.pix_fmt ?? 'unknown'
  return {
    index: stream.index ?? 0,
    codec: stream.codec_name ?? 'unknown',
    width,
    height,
    rotation,
    display: displayOf({ width, height, rotation, pixelAspect }),
    pixelAspect,
    frameRate: mean ?? base ?? { num: 25, den: 1 },
    variable: variesFrom(base, mean, interlaced),
    pixelFormat,
    bitDepth: bitDepthOf(pixelFormat),
    hdr: hdrOf(stream.color_transfer),
    interlaced,
  }
}

const languageOf = ({ tags }: JsonStream): string | undefined => {
  const language = tags?.['language']
  return language === undefined || language === 'und' ? undefined : language.slice(0, 35)
}

function toAudio(stream: JsonStream): AudioStream {
  return {
    index: stream.index ?? 0,
    codec: stream.codec_name ?? 'unknown',
    channels: stream.channels ?? 0,
    layout: stream.channel_layout ?? '',
    sampleRate: Number(stream.sample_rate ?? 0),
    language: languageOf(stream),
  }
}

function toSubtitle(stream: JsonStream): SubtitleStream {
  return { index: stream.index ?? 0, codec: stream.codec_name ?? 'unknown', language: languageOf(stream) }
}
