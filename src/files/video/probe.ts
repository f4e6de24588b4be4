import { asMedia, mediaError, oversizedError } from './media-errors.ts'
import { mediaInput } from './media-input.ts'
import { probeFromJson } from './probe-json.ts'
import { probeFromText } from './probe-text.ts'
import { runTool, ToolFailure } from './run-tool.ts'
import type { VideoTools } from './tools.ts'
import type { VideoProbe } from './types.ts'
import type { Limits } from './video-settings.ts'

/** A file to look at. */
export interface ProbeOptions {
  readonly path: string
  /** What it is called in errors. */
  readonly subject: string
  /** Where programs run. */
  readonly folder: string
  readonly limits: Limits
  readonly signal?: AbortSignal | undefined
}

const probeMs = 30_000
const probeMemory = 1024 ** 3

/**
 * Says what a file has in it, from its headers and its first packets.
 *
 * @throws PLIMSOLL_MEDIA_INVALID for what is no video or sound; PLIMSOLL_MEDIA_TOO_LARGE for frames and durations above the limits;
 *   PLIMSOLL_MEDIA_TIMEOUT
 */
export async function probe(tools: Pick<VideoTools, 'ffmpeg' | 'ffprobe'>, options: ProbeOptions): Promise<VideoProbe> {
  const { subject, folder } = options
  const found = await asMedia({ task: 'look into it', subject, folder }, () =>
    tools.ffprobe === undefined ? askFfmpeg(tools.ffmpeg, options) : askFfprobe(tools.ffprobe, options),
  )
  check(found, options)
  return found
}

async function askFfprobe(program: string, options: ProbeOptions): Promise<VideoProbe> {
  const args = ['-v', 'error', '-threads', '1', '-print_format', 'json', '-show_format', '-show_streams']
  const { stdout, stderr } = await runTool({ program, args: [...args, ...inputOf(options)], ...bounds(options) })
  const found = probeFromJson(stdout, options.subject)
  const large = found.video?.width === 0 ? oversizedError(stderr, options.subject) : undefined
  if (large !== undefined) throw large
  return found
}

/** Without an output it ends with an error, once it has said what there is. */
async function askFfmpeg(program: string, options: ProbeOptions): Promise<VideoProbe> {
  const args = ['-hide_banner', '-nostdin', '-threads', '1', ...inputOf(options)]
  try {
    return probeFromText((await runTool({ program, args, ...bounds(options) })).stderr, options.subject)
  } catch (error) {
    if (!(error instanceof ToolFailure) || !error.stderr.includes('At least one output file')) throw error
    const found = probeFromText(error.stderr, options.subject)
    const large = found.video?.width === 0 ? oversizedError(error.stderr, options.subject) : undefined
    if (large !== undefined) throw large
    return found
  }
}

const inputOf = ({ path, limits }: ProbeOptions): string[] => mediaInput(path, { maxPixels: limits.pixels })

const bounds = ({ folder, signal }: ProbeOptions) =>
  ({ folder, signal, timeoutMs: probeMs, memoryBytes: probeMemory, fileBytes: 0 }) as const

function check({ video, audio, duration }: VideoProbe, { subject, limits }: ProbeOptions): void {
  if (video === undefined && audio.length === 0) {
    throw mediaError('PLIMSOLL_MEDIA_INVALID', `'${subject}' has neither video nor sound that could be decoded`, {
      details: { subject },
    })
  }
  if (video !== undefined) {
    const { width, height } = video
    if (!(width > 0 && height > 0) || Math.min(video.display.width, video.display.height) < 2) {
      throw mediaError('PLIMSOLL_MEDIA_INVALID', `'${subject}' has frames of ${width}×${height} pixels`, {
        details: { subject, width, height },
      })
    }
    const pixels = Math.max(width * height, video.display.width * video.display.height)
    if (pixels > limits.pixels) {
      const message = `'${subject}' has frames of ${width}×${height} pixels, more than the ${limits.pixels} of limits.pixels`
      throw mediaError('PLIMSOLL_MEDIA_TOO_LARGE', message, { details: { subject, width, height } })
    }
  }
  if (duration > limits.durationMs / 1000) {
    const message = `'${subject}' says that it takes ${Math.round(duration)} s, more than the ${limits.durationMs / 1000} s of limits.duration`
    throw mediaError('PLIMSOLL_MEDIA_TOO_LARGE', message, { details: { subject, duration } })
  }
}
