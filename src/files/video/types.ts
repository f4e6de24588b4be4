import type { Duration } from '../../core/duration.ts'
import type { Size } from '../../core/size.ts'

/** A rate of frames, or a shape of pixels, as a fraction. */
export interface Ratio {
  readonly num: number
  readonly den: number
}

/** What a media file has in it. */
export interface VideoProbe {
  /** The names of its format, as ffmpeg has them: `'mov,mp4,m4a,3gp,3g2,mj2'`. */
  readonly container: string
  /** In seconds, as the file says. */
  readonly duration: number
  /** The first time stamp of all, in seconds. */
  readonly start: number
  /** The picture; undefined when there is sound only. */
  readonly video: VideoStream | undefined
  readonly audio: readonly AudioStream[]
  readonly subtitles: readonly SubtitleStream[]
}

export interface VideoStream {
  readonly index: number
  readonly codec: string
  /** As they are stored. */
  readonly width: number
  readonly height: number
  /** Clockwise, in degrees: what a player has to turn it by. */
  readonly rotation: 0 | 90 | 180 | 270
  /** As it is shown: turned, and with square pixels. */
  readonly display: { readonly width: number; readonly height: number }
  /** How wide a pixel is for its height. */
  readonly pixelAspect: Ratio
  /** The mean rate, where it varies. */
  readonly frameRate: Ratio
  /** True when frames come at times of their own. */
  readonly variable: boolean
  readonly pixelFormat: string
  readonly bitDepth: number
  /** How bright is coded, where it is more than a plain screen shows. */
  readonly hdr: 'pq' | 'hlg' | undefined
  readonly interlaced: boolean
}

export interface AudioStream {
  readonly index: number
  readonly codec: string
  readonly channels: number
  /** `'stereo'`, `'5.1'` …; empty when the file does not say. */
  readonly layout: string
  readonly sampleRate: number
  readonly language: string | undefined
}

export interface SubtitleStream {
  readonly index: number
  readonly codec: string
  readonly language: string | undefined
}

/** How videos are encoded. */
export interface VideoOptions {
  readonly ladder?: LadderOptions | undefined
  /** Sound, in kbit/s. Default 128. */
  readonly audioRate?: number | undefined
  /** A picture of it. Default: a JPEG of a tenth into it. */
  readonly poster?: PosterOptions | false | undefined
  /** Small pictures for whoever seeks. Default: one every two seconds, or fewer in a long video. */
  readonly sprite?: SpriteOptions | false | undefined
  /** How long a segment is: a multiple of the two seconds between key frames. Longer ones are fewer requests, and a later first picture. Default `'2s'`. */
  readonly segment?: Duration | undefined
  /**
   * How long the pieces are that a video is encoded in: what a retry goes on from, and what other workers may take. Default: of what is longer
   * than two minutes, two thirds in pieces of one in 32, of half a minute to two minutes each, and the rest in shorter ones.
   */
  readonly chunk?: Duration | undefined
  readonly limits?: VideoLimits | undefined
  readonly tools?: ToolPaths | undefined
  /** How caches may keep the package. Default `'public, max-age=31536000, immutable'`. */
  readonly cacheControl?: string | undefined
  /** Where files are while they are worked on: up to three times the source. Default: a folder of the system's. */
  readonly folder?: string | undefined
}

export interface LadderOptions {
  /** The shorter sides of the renditions, in pixels. Default 240, 360, 480, 720, 1080, 1440 and 2160. None is larger than the source. */
  readonly sizes?: readonly number[] | undefined
  /** What x264 is told of speed and size. Default `'veryfast'`. */
  readonly preset?: X264Preset | undefined
  /** The quality that is aimed at, from 0 (lossless) to 51; 23 is that of x264. Default 22. */
  readonly quality?: number | undefined
  /** The most frames in a second. Default 60. */
  readonly frameRate?: number | undefined
  /** How many kbit/s the renditions may take: a function of their size. Default: what samples of the video ask for, within bounds. */
  readonly rate?: ((rendition: { readonly width: number; readonly height: number }) => number) | undefined
  /** The same renditions in AV1 too, which takes several times as long. Default false. */
  readonly av1?: boolean | undefined
}

export type X264Preset = 'ultrafast' | 'superfast' | 'veryfast' | 'faster' | 'fast' | 'medium' | 'slow' | 'slower'

export interface PosterOptions {
  /** Where it is taken, to two seconds: a time, or a share such as `'10%'`, which is the default. */
  readonly at?: Duration | `${number}%` | undefined
  /** Default `'jpeg'`. */
  readonly format?: 'jpeg' | 'webp' | undefined
}

export interface SpriteOptions {
  /** A multiple of two seconds. Default: the shortest that makes 200 pictures or fewer. */
  readonly interval?: Duration | undefined
  /** The longer side of a picture, in pixels. Default 160. */
  readonly size?: number | undefined
}

/** What is refused, and what ends an encode. */
export interface VideoLimits {
  /** Default `'20GB'`. */
  readonly bytes?: Size | undefined
  /** Default `'6h'`. */
  readonly duration?: Duration | undefined
  /** Width times height. Default 36 million. */
  readonly pixels?: number | undefined
  /** The address space of ffmpeg while it encodes. Default `'8GB'`. */
  readonly memory?: Size | undefined
  /** How long one run of ffmpeg may take. Default `'6h'`. */
  readonly time?: Duration | undefined
}

/** Where the programs are. Default: on the PATH, or in packages. */
export interface ToolPaths {
  readonly ffmpeg?: string | undefined
  /** False does without. */
  readonly ffprobe?: string | false | undefined
  readonly packager?: string | undefined
}

/** A video to encode. */
export interface VideoInput {
  /** The key of the source. */
  readonly source: string
  /** What the keys of the package begin with; it goes into a folder of its own below, named after the source's bytes and the options. */
  readonly to: string
  readonly captions?: readonly CaptionInput[] | undefined
}

export interface CaptionInput {
  /** The key of a WebVTT file. */
  readonly key: string
  /** As in BCP 47: `'en'`, `'pt-BR'`. */
  readonly language: string
  /** What the player shows. Default: the language. */
  readonly label?: string | undefined
}

/** What has become of a video: keys in the store, and what they hold. It is plain data. */
export interface VideoPackage {
  /** Names the source's bytes and the options. */
  readonly id: string
  /** What all its keys begin with. */
  readonly prefix: string
  /** The key of the HLS playlist that a player is given. */
  readonly hls: string
  /** The key of the DASH manifest that a player is given. */
  readonly dash: string
  /** In seconds. */
  readonly duration: number
  /** From the smallest to the largest. Empty when there is sound only. */
  readonly renditions: readonly RenditionFacts[]
  readonly audio: AudioFacts | undefined
  readonly captions: readonly { readonly key: string; readonly language: string; readonly label: string }[]
  readonly poster: string | undefined
  readonly sprite: { readonly index: string; readonly images: readonly string[] } | undefined
  /** How many objects it is, and bytes. */
  readonly objects: number
  readonly bytes: number
  readonly source: VideoProbe
}

export interface RenditionFacts {
  readonly name: string
  readonly width: number
  readonly height: number
  readonly frameRate: number
  /** As in RFC 6381: `'avc1.64001f'`. */
  readonly codec: string
  /** Bits in a second, of its largest segment and on the whole. */
  readonly peakRate: number
  readonly meanRate: number
  readonly playlist: string
}

export interface AudioFacts {
  readonly codec: string
  readonly channels: number
  readonly peakRate: number
  readonly meanRate: number
  readonly playlist: string
}

/** Told how far an encode is: a share from 0 to 1, and what is done. */
export type VideoProgress = (share: number, note: string) => void
