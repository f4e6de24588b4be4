import { asMedia, mediaError } from './media-errors.ts'
import { mediaInput } from './media-input.ts'
import type { ProbeOptions } from './probe.ts'
import { secondsOf } from './progress-line.ts'
import { runTool } from './run-tool.ts'
import { valueOf } from './stream-facts.ts'
import type { VideoProbe } from './types.ts'

/** A file that was looked at. */
export interface MeasureOptions extends ProbeOptions {
  readonly probe: VideoProbe
}

/**
 * Reads a file to its end, without decoding it, and says how long it is: what its headers say may be a guess, a lie, or true of the file
 * that this one is the beginning of.
 *
 * @throws PLIMSOLL_MEDIA_INVALID for a file that ends early; PLIMSOLL_MEDIA_TOO_LARGE; PLIMSOLL_MEDIA_TIMEOUT
 */
export async function measure(ffmpeg: string, options: MeasureOptions): Promise<number> {
  const { path, subject, folder, limits, signal, probe } = options
  const { video, audio } = probe
  const streams = [video, audio[0]].filter((stream) => stream !== undefined)
  const args = [
    ['-v', 'error', '-nostdin', ...mediaInput(path, { maxPixels: limits.pixels })],
    streams.flatMap(({ index }) => ['-map', `0:${index}`]),
    ['-c', 'copy', '-f', 'null', '-progress', 'pipe:1', '-stats_period', '1', '-'],
  ].flat()
  let duration = 0
  const onLine = (line: string): void => {
    duration = Math.max(duration, secondsOf(line) ?? 0)
  }
  const bounds = { timeoutMs: limits.timeMs, memoryBytes: 1024 ** 3, fileBytes: 0 }
  await asMedia({ task: 'read it to its end', subject, folder }, () =>
    runTool({ program: ffmpeg, args, folder, signal, onLine, ...bounds }),
  )
  check(duration, options)
  return duration
}

function check(duration: number, { subject, probe, limits }: MeasureOptions): void {
  if (duration * 1000 > limits.durationMs) {
    const message = `'${subject}' takes ${Math.round(duration)} s, more than the ${limits.durationMs / 1000} s of limits.duration`
    throw mediaError('PLIMSOLL_MEDIA_TOO_LARGE', message, { details: { subject, duration } })
  }
  // Of the last frame its beginning is known, and some are shown for seconds.
  const lastFrame = probe.video === undefined ? 0 : 1 / valueOf(probe.video.frameRate)
  const missing = probe.duration - duration - lastFrame
  if (duration > 0 && missing <= Math.max(1, probe.duration * 0.02)) return
  const message =
    duration > 0
      ? `'${subject}' ends after ${duration.toFixed(1)} of the ${probe.duration.toFixed(1)} s that it says it has; it was cut off, or is damaged`
      : `'${subject}' has nothing that could be played`
  throw mediaError('PLIMSOLL_MEDIA_INVALID', message, { details: { subject, duration, claimed: probe.duration } })
}
