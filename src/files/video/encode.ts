import { pictureArguments, soundArguments } from './encode-arguments.ts'
import { timeOf, type Chunk, type EncodePlan, type VideoPlan } from './encode-plan.ts'
import type { Rendition } from './ladder.ts'
import { asMedia, mediaError } from './media-errors.ts'
import { mediaInput } from './media-input.ts'
import { framesOf, secondsOf } from './progress-line.ts'
import { runTool } from './run-tool.ts'
import type { VideoTools } from './tools.ts'
import type { Ratio } from './types.ts'
import type { VideoSettings } from './video-settings.ts'

/** One run of ffmpeg over a source, or over the part of it that a chunk needs. */
export interface EncodeOptions {
  readonly path: string
  /** Where programs run, and write. */
  readonly folder: string
  readonly plan: EncodePlan
  readonly settings: VideoSettings
  readonly signal?: AbortSignal | undefined
  /** Told how many seconds of the output are there. */
  readonly onSeconds?: ((seconds: number) => void) | undefined
}

export interface PictureOptions extends EncodeOptions {
  readonly video: VideoPlan
  readonly chunk: Chunk
  readonly renditions: readonly { readonly rendition: Rendition; readonly file: string }[]
  /** Where the sound goes, when it is encoded in the same run. */
  readonly sound?: string | undefined
  /** True when the source is what {@link cutChunk} has cut for the chunk. */
  readonly cut?: boolean | undefined
}

export interface CutOptions extends EncodeOptions {
  readonly video: VideoPlan
  readonly chunk: Chunk
  readonly file: string
}

/** Indexed formats are entered a second early, for frames that are stored in another order than they are shown in; others are searched. */
const indexed = /\b(?:mov|matroska|nut)\b/
const earlyS = { indexed: 1, searched: 10 } as const

/**
 * Encodes a chunk in all renditions that are asked for, by one decode.
 *
 * @throws PLIMSOLL_MEDIA_INVALID when there are fewer frames than the plan says; and as {@link asMedia}
 */
export async function encodePictures(tools: VideoTools, options: PictureOptions): Promise<void> {
  const { plan, video, chunk, renditions, settings, sound } = options
  const { start } = plan.probe
  const picture = { plan: video, chunk, renditions, start, settings, features: tools.features }
  const outputs = [
    ...pictureArguments(picture),
    ...(sound === undefined || plan.audio === undefined
      ? []
      : soundArguments(plan.audio, { start, file: sound, rate: settings.audioRate })),
  ]
  const before = ['-noautorotate', ...(options.cut === true ? [] : seekTo(chunk, options))]
  const frames = await encode(tools, options, { before, outputs, rate: video.frameRate })
  const wanted = chunk.count ?? 1
  if (frames < wanted) {
    const at = timeOf(chunk.first + frames, video.frameRate).toFixed(1)
    const message = `The picture of '${plan.source.key}' ends after ${at} s, before the end that it was planned by`
    throw mediaError('PLIMSOLL_MEDIA_INVALID', message, { details: { subject: plan.source.key } })
  }
}

/** Encodes the sound of all of it. */
export async function encodeSound(
  tools: VideoTools,
  options: EncodeOptions & { readonly file: string },
): Promise<void> {
  const { plan, settings, file } = options
  const outputs = soundArguments(plan.audio!, { start: plan.probe.start, file, rate: settings.audioRate })
  await encode(tools, options, { before: [], outputs })
}

/** Where decoding begins: at the key frame before, whatever comes before the chunk itself. The filters drop it. */
function seekTo({ first }: Chunk, { plan, video }: Pick<PictureOptions, 'plan' | 'video'>): string[] {
  if (first === 0) return []
  const early = indexed.test(plan.probe.container) ? earlyS.indexed : earlyS.searched
  const at = timeOf(first, video.frameRate) - early
  return at <= 0 ? [] : ['-noaccurate_seek', '-ss', at.toFixed(6)]
}

/** Cuts out of a source what the decode of a chunk needs, as it is: from the key frame before it, with its time stamps. */
export async function cutChunk(
  { ffmpeg }: VideoTools,
  { path, folder, plan, video, chunk, settings, signal, file }: CutOptions,
): Promise<void> {
  const { limits } = settings
  const last = chunk.count === undefined ? undefined : timeOf(chunk.first + chunk.count, video.frameRate)
  // Packets come in another order than they are shown in.
  const until = last === undefined ? [] : ['-to', (plan.probe.start + last + earlyS.indexed).toFixed(6)]
  const args = [
    ['-v', 'error', '-nostdin', '-y', '-copyts'],
    mediaInput(path, { maxPixels: limits.pixels, before: seekTo(chunk, { plan, video }) }),
    ['-map', `0:${video.stream.index}`, '-c', 'copy', '-copypriorss', '1', ...until],
    ['-avoid_negative_ts', 'disabled', '-f', 'nut', file],
  ].flat()
  const bounds = { timeoutMs: limits.timeMs, memoryBytes: 1024 ** 3, fileBytes: limits.bytes }
  await asMedia({ task: 'cut it', subject: plan.source.key, folder }, () =>
    runTool({ program: ffmpeg, args, folder, signal, ...bounds }),
  )
}

async function encode(
  { ffmpeg }: VideoTools,
  { path, folder, plan, settings, signal, onSeconds }: EncodeOptions,
  {
    before,
    outputs,
    rate,
  }: { readonly before: readonly string[]; readonly outputs: readonly string[]; readonly rate?: Ratio },
): Promise<number> {
  const { limits } = settings
  const args = [
    ['-v', 'error', '-nostdin', '-y', '-progress', 'pipe:1', '-stats_period', '0.5', '-copyts'],
    mediaInput(path, { maxPixels: limits.pixels, before }),
    outputs,
  ].flat()
  let frames = 0
  const onLine = (line: string): void => {
    frames = framesOf(line) ?? frames
    const seconds = secondsOf(line)
    // The picture of a chunk is on the clock of the whole.
    if (seconds !== undefined) onSeconds?.(rate === undefined ? seconds : timeOf(frames, rate))
  }
  const bounds = { timeoutMs: limits.timeMs, memoryBytes: limits.memoryBytes, fileBytes: limits.bytes }
  await asMedia({ task: 'encode it', subject: plan.source.key, folder }, () =>
    runTool({ program: ffmpeg, args, folder, signal, onLine, yields: rate !== undefined, ...bounds }),
  )
  return frames
}
