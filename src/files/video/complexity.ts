import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { together } from '../together.ts'
import type { Complexity } from './ladder.ts'
import { asMedia } from './media-errors.ts'
import { mediaInput } from './media-input.ts'
import type { ProbeOptions } from './probe.ts'
import { runTool } from './run-tool.ts'
import { valueOf } from './stream-facts.ts'
import type { VideoStream } from './types.ts'
import type { VideoSettings } from './video-settings.ts'

/** What is sampled. */
export interface ComplexityOptions extends ProbeOptions {
  readonly video: VideoStream
  /** In seconds. */
  readonly duration: number
  readonly settings: Pick<VideoSettings, 'quality'>
}

/** The shorter side that samples are encoded at. */
const sampled = 360

/**
 * Encodes up to three short samples at the same time, small and by quality alone: what they take says how much the video asks for. They are three
 * hundredths of it, and six seconds at most.
 */
export async function complexityOf(ffmpeg: string, options: ComplexityOptions): Promise<Complexity | undefined> {
  const { duration, folder, subject, signal } = options
  const rate = valueOf(options.video.frameRate)
  const total = Math.min(duration, 6, Math.max(1, duration * 0.03))
  const count = Math.max(1, Math.min(3, Math.floor(total)))
  const length = total / count
  const frames = Math.max(1, Math.round(length * rate))
  const bytes = Array.from({ length: count }, () => 0)
  const samples = bytes.map((_, index) => async (signal: AbortSignal): Promise<void> => {
    const at = Math.max(0, (duration * (index + 1)) / (count + 1) - length / 2)
    bytes[index] = await sample(ffmpeg, { ...options, signal }, { index, at, frames })
  })
  await asMedia({ task: 'sample it', subject, folder }, () => together(signal, samples))
  const bits = 8 * bytes.reduce((sum, size) => sum + size, 0)
  const seconds = (count * frames) / rate
  const { width, height } = sampleSize(options.video)
  // Nothing came where the file said that there was something: the encode will say why.
  return bits === 0 ? undefined : { rate: bits / seconds / 1000, pixels: width * height }
}

async function sample(
  ffmpeg: string,
  { path, folder, limits, signal, video, settings }: ComplexityOptions,
  { index, at, frames }: { index: number; at: number; frames: number },
): Promise<number> {
  const { width, height } = sampleSize(video)
  const file = join(folder, `sample-${index}.h264`)
  // In one thread: others would decode frames that are not asked for, and other cores have samples of their own.
  const before = ['-threads', '1', '-noaccurate_seek', '-ss', at.toFixed(3)]
  // From the key frame before on, so that nothing is decoded in vain: on a clock that begins there, because frames from before its beginning
  // would be dropped. Cut before the encoder, which would else be given more, to look ahead.
  const filters = `trim=end_frame=${frames},setpts=PTS-STARTPTS,scale=${width}:${height}:flags=fast_bilinear,format=yuv420p`
  const args = [
    ['-v', 'error', '-nostdin', '-y', ...mediaInput(path, { maxPixels: limits.pixels, before })],
    ['-map', `0:${video.index}`, '-vf', filters, '-fps_mode', 'passthrough'],
    ['-c:v', 'libx264', '-preset', 'superfast', '-crf', String(settings.quality), '-g', '250', '-threads', '1'],
    ['-f', 'h264', file],
  ].flat()
  const bounds = { timeoutMs: 120_000, memoryBytes: limits.memoryBytes, fileBytes: 200 * 1024 ** 2 }
  await runTool({ program: ffmpeg, args, folder, signal, ...bounds })
  return (await stat(file)).size
}

function sampleSize({ display: { width, height } }: VideoStream): { width: number; height: number } {
  const scale = Math.min(1, sampled / Math.min(width, height))
  const even = (side: number): number => Math.max(2, Math.round((side * scale) / 2) * 2)
  return { width: even(width), height: even(height) }
}
