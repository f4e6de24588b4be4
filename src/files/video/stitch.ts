import { rename, writeFile } from 'node:fs/promises'
import { together } from '../together.ts'
import { timescaleOf } from './encode-arguments.ts'
import { chunkFile, timeOf, type EncodePlan, type VideoPlan } from './encode-plan.ts'
import type { Rendition } from './ladder.ts'
import { asMedia } from './media-errors.ts'
import { runTool } from './run-tool.ts'
import type { VideoTools } from './tools.ts'
import type { VideoSettings } from './video-settings.ts'
import type { WorkFiles } from './work-files.ts'

/** Renditions in chunks. */
export interface StitchOptions {
  readonly work: WorkFiles
  readonly plan: EncodePlan
  readonly settings: VideoSettings
  readonly signal?: AbortSignal | undefined
}

/** A rendition, in one file. */
export interface Stitched {
  readonly rendition: Rendition
  readonly path: string
}

/**
 * Makes one file of the chunks of each rendition, without encoding anything again: each begins with a key frame, at the moment that the plan
 * says, to the tick.
 */
export async function stitch(tools: VideoTools, options: StitchOptions): Promise<readonly Stitched[]> {
  const { renditions = [] } = options.plan.video ?? {}
  const stitched = renditions.map((rendition) => ({ rendition, path: options.work.path(`${rendition.name}.mp4`) }))
  await together(
    options.signal,
    stitched.map((one) => (signal) => stitchOne(tools, { ...options, ...one, video: options.plan.video!, signal })),
  )
  return stitched
}

async function stitchOne(
  { ffmpeg }: VideoTools,
  {
    work,
    plan,
    video,
    rendition,
    path: whole,
    settings,
    signal,
  }: StitchOptions & Stitched & { readonly video: VideoPlan },
): Promise<void> {
  const names = video.chunks.map((chunk) => chunkFile(chunk, rendition))
  for (const name of names) await work.fetch(name)
  if (names.length === 1) {
    await rename(work.path(names[0]!), whole)
    return
  }
  const list = video.chunks.map(
    // What comes next begins when the plan says so, not when rounded time stamps would have it.
    ({ count }, i) =>
      `file '${names[i]}'\n${count === undefined ? '' : `duration ${timeOf(count, video.frameRate).toFixed(6)}\n`}`,
  )
  const listFile = `${rendition.name}.ffconcat`
  await writeFile(work.path(listFile), `ffconcat version 1.0\n${list.join('')}`)
  const timescale = String(timescaleOf(video.frameRate))
  const args = [
    ['-v', 'error', '-nostdin', '-y', '-protocol_whitelist', 'file', '-f', 'concat', '-safe', '1', '-i', listFile],
    ['-map', '0:v:0', '-c', 'copy', '-video_track_timescale', timescale, '-f', 'mp4', whole],
  ].flat()
  const bounds = { timeoutMs: settings.limits.timeMs, memoryBytes: 2 * 1024 ** 3, fileBytes: settings.limits.bytes }
  await asMedia({ task: 'join its chunks', subject: plan.source.key, folder: work.folder }, () =>
    runTool({ program: ffmpeg, args, folder: work.folder, signal, ...bounds }),
  )
  for (const name of names) await work.discard(name)
}
