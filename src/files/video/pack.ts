import { together } from '../together.ts'
import { timeOf, type EncodePlan } from './encode-plan.ts'
import type { JoinedRendition } from './join-chunks.ts'
import { asMedia, mediaError } from './media-errors.ts'
import { runTool } from './run-tool.ts'
import type { VideoTools } from './tools.ts'
import type { VideoSettings } from './video-settings.ts'
import type { WorkFiles } from './work-files.ts'

/** The files that a package is made of. */
export interface PackOptions {
  /** Where it is to be; it is there, and empty. */
  readonly folder: string
  readonly plan: EncodePlan
  readonly joined: readonly JoinedRendition[]
  readonly sound: string | undefined
  readonly settings: VideoSettings
  readonly work: WorkFiles
  /** Resolves when all that it reads is there: its time counts from then on. */
  readonly encoded: Promise<void>
  readonly signal?: AbortSignal | undefined
}

/** The manifest of HLS that players are given, in the folder of a package. */
export const hlsName = 'master.m3u8'
/** That of DASH. */
export const dashName = 'manifest.mpd'

/** What the packager holds of a file that it writes: its default, 32 MB, is made anew for each segment. With 0 it writes in another way, and may hang. */
const cacheBytes = 1024 * 1024

/** How long it may take when all is encoded: it takes seconds for an hour of video. */
const mostMs = 30 * 60_000

/** Cuts encodings into CMAF segments, as they come, once for both HLS and DASH, and writes the manifests of both in the end. */
export async function pack({ packager }: VideoTools, options: PackOptions): Promise<void> {
  const { folder, work, settings, plan, joined, encoded, signal } = options
  const streams = [...pictureStreams(options), ...soundStreams(options)]
  const args = [
    streams.map(streamArgument),
    ['--segment_duration', segmentSeconds(plan, settings).toFixed(6), '--fragment_duration', '0'],
    ['--generate_static_live_mpd', '--mpd_output', dashName],
    ['--hls_master_playlist_output', hlsName, '--hls_playlist_type', 'VOD'],
    plan.video?.renditions.some(({ codec }) => codec === 'av1') === true ? ['--allow_codec_switching'] : [],
    ['--io_cache_size', String(cacheBytes), '--quiet'],
  ].flat()
  const { limits } = settings
  // What is read from pipes is read already, but for the last of it.
  const piped = joined.some(({ fill }) => fill !== undefined)
  const time = { timeoutMs: piped ? Math.min(mostMs, limits.timeMs) : limits.timeMs, timed: encoded }
  const bounds = { ...time, memoryBytes: 4 * 1024 ** 3, fileBytes: limits.bytes }
  const ended = new AbortController()
  const run = async (until: AbortSignal): Promise<void> => {
    await asMedia({ task: 'package it', subject: plan.source.key, folder: work.folder }, () =>
      runTool({ program: packager, args, folder, signal: until, ...bounds }),
    )
    ended.abort()
  }
  const unread: string[] = []
  const fills = joined.map(({ rendition, fill }) => async (until: AbortSignal): Promise<void> => {
    const filled = await fill?.(AbortSignal.any([until, ended.signal])).catch((error: unknown) => {
      until.throwIfAborted()
      if (!ended.signal.aborted) throw error
      return false
    })
    if (filled === false) unread.push(rendition.name)
  })
  // What the packager says of the reason comes first, where it says one.
  await together(signal, [run, ...fills])
  if (unread.length > 0)
    throw mediaError('PLIMSOLL_MEDIA_TOOL_FAILED', `The packager has not read all of ${unread.join(', ')}`)
}

/** A stream, as the packager is told of one. */
export function streamArgument(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(',')
}

/** A whole number of frames: 4 s at 29.97 frames a second are 4.004. */
function segmentSeconds({ video }: EncodePlan, { segmentS }: VideoSettings): number {
  if (video === undefined) return segmentS
  return timeOf(video.gop, video.frameRate) * (segmentS / 2)
}

function pictureStreams({ joined }: PackOptions): Record<string, string>[] {
  return joined.map(({ rendition: { name }, path }) => ({
    in: path,
    stream: 'video',
    init_segment: `${name}/init.mp4`,
    segment_template: `${name}/$Number%05d$.m4s`,
    playlist_name: `${name}/index.m3u8`,
    iframe_playlist_name: `${name}/iframes.m3u8`,
  }))
}

function soundStreams({ sound, plan: { audio } }: PackOptions): Record<string, string>[] {
  if (sound === undefined) return []
  const language = audio?.language
  return [
    {
      in: sound,
      stream: 'audio',
      ...(language !== undefined && /^[a-z]{2,3}$/.test(language) ? { language } : {}),
      init_segment: 'audio/init.mp4',
      segment_template: 'audio/$Number%05d$.m4s',
      playlist_name: 'audio/index.m3u8',
      hls_group_id: 'audio',
      hls_name: 'audio',
    },
  ]
}
