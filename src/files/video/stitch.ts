import { rename, writeFile } from 'node:fs/promises'
import { timescaleOf } from './encode-arguments.ts'
import { chunkFile, timeOf, type VideoPlan } from './encode-plan.ts'
import type { Rendition } from './ladder.ts'
import { asMedia } from './media-errors.ts'
import { runTool } from './run-tool.ts'
import type { VideoTools } from './tools.ts'
import type { VideoSettings } from './video-settings.ts'
import type { WorkFiles } from './work-files.ts'

/** A rendition in chunks. */
export interface StitchOptions {
  readonly work: WorkFiles
  readonly plan: VideoPlan
  readonly rendition: Rendition
  readonly settings: VideoSettings
  readonly subject: string
  readonly signal?: AbortSignal | undefined
}

/**
 * Makes one file of the chunks of a rendition, without encoding anything again: each begins with a key frame, at the moment that the plan
 * says, to the tick. Resolves to its path.
 */
export async function stitch({ ffmpeg }: VideoTools, options: StitchOptions): Promise<string> {
  const { work, plan, rendition, settings, subject, signal } = options
  const whole = work.path(`${rendition.name}.mp4`)
  const names = plan.chunks.map((chunk) => chunkFile(chunk, rendition))
  for (const name of names) await work.fetch(name)
  if (names.length === 1) {
    await rename(work.path(names[0]!), whole)
    return whole
  }
  const list = plan.chunks.map(
    // What comes next begins when the plan says so, not when rounded time stamps would have it.
    ({ count }, i) =>
      `file '${names[i]}'\n${count === undefined ? '' : `duration ${timeOf(count, plan.frameRate).toFixed(6)}\n`}`,
  )
  const listFile = `${rendition.name}.ffconcat`
  await writeFile(work.path(listFile), `ffconcat version 1.0\n${list.join('')}`)
  const timescale = String(timescaleOf(plan.frameRate))
  const args = [
    ['-v', 'error', '-nostdin', '-y', '-protocol_whitelist', 'file', '-f', 'concat', '-safe', '1', '-i', listFile],
    ['-map', '0:v:0', '-c', 'copy', '-video_track_timescale', timescale, '-f', 'mp4', whole],
  ].flat()
  const bounds = { timeoutMs: settings.limits.timeMs, memoryBytes: 2 * 1024 ** 3, fileBytes: settings.limits.bytes }
  await asMedia({ task: 'join its chunks', subject, folder: work.folder }, () =>
    runTool({ program: ffmpeg, args, folder: work.folder, signal, ...bounds }),
  )
  for (const name of names) await work.discard(name)
  return whole
}
