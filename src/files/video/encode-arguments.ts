import { timeOf, type Chunk, type VideoPlan } from './encode-plan.ts'
import type { Rendition } from './ladder.ts'
import type { ToolFeatures } from './tools.ts'
import type { AudioStream, Ratio, VideoStream } from './types.ts'
import type { VideoSettings } from './video-settings.ts'

/** The picture of a chunk. */
export interface PictureJob {
  readonly plan: VideoPlan
  readonly chunk: Chunk
  /** Those that are not there yet. */
  readonly renditions: readonly { readonly rendition: Rendition; readonly file: string }[]
  /** The first time stamp of the source. */
  readonly start: number
  readonly settings: Pick<VideoSettings, 'preset' | 'quality'>
  readonly features: ToolFeatures
}

/** HDR shown on a plain screen: BT.2020 with PQ or HLG to BT.709. */
const toneMapping = (hdr: NonNullable<VideoStream['hdr']>): string[] => [
  `zscale=tin=${hdr === 'pq' ? 'smpte2084' : 'arib-std-b67'}:pin=bt2020:min=bt2020nc:rin=limited:t=linear:npl=100`,
  'format=gbrpf32le',
  'zscale=p=bt709',
  'tonemap=tonemap=hable:desat=0',
  'zscale=t=bt709:m=bt709:r=tv',
]

/** By filters of ours: what a phone says of how it was held is beside the frames, and does not come along into a chunk. */
const turning: Readonly<Record<VideoStream['rotation'], readonly string[]>> = {
  0: [],
  90: ['transpose=clock'],
  180: ['hflip', 'vflip'],
  270: ['transpose=cclock'],
}

/**
 * The filters and outputs that make every rendition of a chunk out of one decode: frames at a constant rate, on a grid that begins with the
 * source's first time stamp wherever the decode begins, then one scaled copy for each encoder.
 */
export function pictureArguments({ plan, chunk, renditions, start, settings, features }: PictureJob): string[] {
  const { stream, frameRate, gop } = plan
  const { num, den } = frameRate
  const ends = chunk.count === undefined ? [] : [`trim=end_frame=${chunk.count}`]
  const common = [
    ...(stream.interlaced ? ['bwdif=deint=interlaced'] : []),
    `setpts=PTS-${start}/TB`,
    // Of the frames before the chunk it keeps the one that is still shown when the chunk begins.
    `fps=fps=${num}/${den}:start_time=${timeOf(chunk.first, frameRate).toFixed(6)}`,
    ...ends,
    ...turning[stream.rotation],
    ...(stream.hdr === undefined ? [] : toneMapping(stream.hdr)),
    'format=yuv420p',
  ]
  const copies = renditions.map((_, i) => `[s${i}]`).join('')
  const graph = [
    `[0:${stream.index}]${common.join(',')},split=${renditions.length}${copies}`,
    ...renditions.map(
      ({ rendition: { width, height } }, i) => `[s${i}]scale=${width}:${height}:flags=bicubic,setsar=1[v${i}]`,
    ),
  ]
  const colours =
    stream.hdr === undefined ? [] : ['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709']
  return [
    ['-filter_complex', graph.join(';')],
    renditions.flatMap(({ rendition, file }, i) =>
      [
        ['-map', `[v${i}]`, '-fps_mode', 'passthrough', '-map_metadata', '-1', '-map_chapters', '-1'],
        encoderArguments(rendition, { gop, settings, features }),
        colours,
        ['-video_track_timescale', String(timescaleOf(frameRate)), ...inFragments, '-f', 'mp4', file],
      ].flat(),
    ),
  ].flat()
}

/**
 * A fragment for each group of pictures, on the clock of the whole: those of all chunks, one after the other, are what one encode would have
 * written. The first of a file says when it is shown, not how much came before it in the same file.
 */
const inFragments = [
  ['-movflags', '+frag_keyframe+delay_moov+default_base_moof+frag_discont'],
  ['-avoid_negative_ts', 'disabled'],
].flat()

/** Ticks that frames fall on exactly, and fine enough for players. */
const timescaleOf = ({ num }: Ratio): number => (num < 1000 ? num * 1000 : num)

function encoderArguments(
  { codec, maxRate }: Rendition,
  { gop, settings, features }: { gop: number; settings: PictureJob['settings']; features: ToolFeatures },
): string[] {
  const closed = ['-g', String(gop), '-keyint_min', String(gop), '-pix_fmt', 'yuv420p']
  if (codec === 'av1' && features.av1 !== undefined)
    return ['-c:v', features.av1, '-preset', '9', '-crf', String(Math.min(63, settings.quality + 13)), ...closed]
  const rate = ['-crf', String(settings.quality), '-maxrate', `${maxRate}k`, '-bufsize', `${maxRate * 2}k`]
  return [
    ['-c:v', 'libx264', '-preset', settings.preset, '-profile:v', 'high', ...rate, ...closed],
    // Parameters come with each key frame, for those of another build of x264 than the first chunk's.
    ['-sc_threshold', '0', '-flags', '+cgop', '-bsf:v', 'dump_extra=freq=keyframe'],
  ].flat()
}

/** The sound, in one piece whatever becomes of the picture, so that it has no seams: from the same moment on, gaps filled with silence. */
export function soundArguments(
  stream: AudioStream,
  { start, file, rate }: { readonly start: number; readonly file: string; readonly rate: number },
): string[] {
  const filters = `asetpts=PTS-${start}/TB,aresample=48000:async=1000:first_pts=0,aformat=channel_layouts=${stream.channels === 1 ? 'mono' : 'stereo'}`
  return [
    ['-map', `0:${stream.index}`, '-map_metadata', '-1', '-map_chapters', '-1', '-af', filters],
    ['-c:a', 'aac', '-b:a', `${rate}k`, '-f', 'mp4', file],
  ].flat()
}
